from pathlib import Path

from market.db import cluster
from market.db.embedded import Server
from market.db.session import Engine, fetch_value, started_pool
from market.settings import Settings


async def test_a_second_pool_runs_for_a_while_and_leaves_the_first_as_it_was(
    db: Engine, server: Server, tmp_path: Path
) -> None:
    first = await fetch_value("SELECT current_database()")
    elsewhere = f"postgresql://{cluster.ROLE}@/{cluster.DATABASE}?host={server.socket}&port={cluster.PORT}"
    async with started_pool(Settings(data_dir=tmp_path, database_url=elsewhere)):
        assert await fetch_value("SELECT current_database()") == cluster.DATABASE
    assert await fetch_value("SELECT current_database()") == first
