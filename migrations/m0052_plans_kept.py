"""The functions that hold and reserve goods keep their plans.

Their questions ask for arrays of numbers: PostgreSQL thinks a plan for one number cheaper than one for any, and
planned anew at every call what never comes out differently. A reservation alone takes half as long without.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T13:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Goods are held and reserved by plans that are kept"


class Raw(Table):
    """Somewhere to send SQL from."""


FUNCTIONS = (
    "reserve_stocks(bigint[], bigint[], bigint[], timestamptz[])",
    "hold_goods(bigint[], bigint[])",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for function in FUNCTIONS:
            await Raw.raw(f"ALTER FUNCTION {function} SET plan_cache_mode = force_generic_plan")

    async def undo() -> None:
        for function in FUNCTIONS:
            await Raw.raw(f"ALTER FUNCTION {function} RESET plan_cache_mode")

    manager.add_raw(run)
    manager.add_raw_backwards(undo)
    return manager
