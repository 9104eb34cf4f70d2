"""Bring the schema up to date with the migrations folder, safely from several processes at once."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import asyncpg
import msgspec
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration

from market.db.piccolo_app import APP_CONFIG
from market.db.programs import NoDatabase
from market.db.rights import grant_rights
from market.db.session import execute, fetch_value, transaction
from market.i18n import msg

#: Any number that no other advisory lock of ours uses.
_LOCK = 0x7469616E


class Status(msgspec.Struct, frozen=True):
    """Migrations by name, oldest first."""

    applied: list[str]
    waiting: list[str]


async def _status() -> Status:
    folder = str(Path(APP_CONFIG.migrations_folder_path))
    manager = ForwardsMigrationManager(app_name=APP_CONFIG.app_name)
    names = manager.get_migration_ids(manager.get_migration_modules(folder))
    applied: list[str] = []
    if await fetch_value("SELECT to_regclass('migration')"):
        applied = await Migration.get_migrations_which_ran(app_name=APP_CONFIG.app_name)
    return Status(sorted(applied), sorted(set(names) - set(applied)))


async def status() -> Status:
    """Return what has been applied and what waits. Needs the started pool."""
    return await _status()


async def migrate_forwards() -> list[str]:
    """Apply every waiting migration and return their names; the second call returns none.

    All of them are one transaction: a migration that fails leaves the schema as it was. Processes that
    come at the same time wait for the first one and then find nothing to do.

    Raises:
        NoDatabase: PostgreSQL refused one of them.
    """
    async with transaction(statement_timeout=0, lock_timeout=0):
        await execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        waiting = (await _status()).waiting
        if waiting:
            manager = ForwardsMigrationManager(app_name=APP_CONFIG.app_name)
            try:
                with redirect_stdout(io.StringIO()):
                    await manager.run()
            except asyncpg.PostgresError as trouble:
                raise NoDatabase(
                    msg("数据库结构没有升级成，保持原样：{trouble}", trouble=str(trouble))
                ) from trouble
        # every time: what may be written is worked out anew by a release without a migration too
        await grant_rights()
        return waiting
