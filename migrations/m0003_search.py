"""What the search of produce and listings stands on."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-23T06:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Edit distance, trigram index on listings, index on the division's prefix"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE EXTENSION IF NOT EXISTS fuzzystrmatch",
    # LIKE patterns of any length: see market/supply/search.py
    """
    CREATE INDEX listing_search_trigrams ON listing USING gin (search gin_trgm_ops)
    WHERE state IN ('published', 'sold_out')
    """,
    # a place and all that lies in it, under any collation
    "CREATE INDEX lot_division_prefix ON lot (division text_pattern_ops)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
