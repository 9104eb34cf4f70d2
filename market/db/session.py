"""The pool, our own ``transaction()``, and raw SQL into frozen Structs.

Piccolo's queries and the functions here share one connection per transaction: both look it up in the
engine's context variable. Piccolo alone loses a pooled connection when COMMIT fails, and its nested
transactions do nothing of their own; ``Transaction`` mends both, also for Piccolo's own use of it.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from functools import cache
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

import asyncpg
import msgspec
from asyncpg.transaction import Transaction as Block
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction
from piccolo.querystring import QueryString

from market.db import embedded
from market.db.programs import NoDatabase
from market.errors import Busy
from market.i18n import msg
from market.settings import Settings, settings

S = TypeVar("S", bound=msgspec.Struct)
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

_BUSY = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ConnectionDoesNotExistError,
    ConnectionError,
    FileNotFoundError,  # the socket of a server that has just been stopped
)

#: asyncpg, of a connection on which the server has just said goodbye: nothing was sent.
_DISMISSED = "another operation (2) is in progress"

_CUT = ("connection has been released back to the pool", "connection is closed")


@contextmanager
def busy_if_overloaded() -> Iterator[None]:
    """Turn what passes by itself (locks, time-outs, a restart) into :class:`Busy`."""
    try:
        yield
    except (*_BUSY, asyncpg.InterfaceError, asyncpg.InternalClientError) as trouble:
        if isinstance(trouble, asyncpg.InternalClientError) and not str(trouble).endswith(_DISMISSED):
            raise
        # the pool takes a connection that was cut away from whoever holds it
        if isinstance(trouble, asyncpg.InterfaceError) and not str(trouble).endswith(_CUT):
            raise
        raise Busy(msg("系统正忙，这一步没有保存。请过几秒再试一次。")) from trouble


class Transaction(PostgresTransaction):
    """``async with transaction():``; inside another one it is a savepoint of its own."""

    def __init__(
        self,
        engine: "Engine",
        allow_nested: bool = True,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        limits: dict[str, int] | None = None,
    ) -> None:
        super().__init__(engine, allow_nested)
        self._home = engine
        self._outer = engine.current()
        self._isolation = isolation
        self._readonly = readonly
        self._limits = limits or {}
        self.task = asyncio.current_task()
        if self._outer and (isolation or readonly or limits):
            raise RuntimeError("isolation, readonly and limits belong to the outermost transaction")

    async def __aenter__(self) -> "Transaction":
        self.connection = self._outer.connection if self._outer else await self._home.acquire()
        try:
            with busy_if_overloaded():
                self.transaction: Block = self.connection.transaction(
                    isolation=None if self._outer else self._isolation, readonly=self._readonly
                )
                await self.transaction.start()
                for name, value in self._limits.items():
                    await self.connection.execute(f"SET LOCAL {name} = {value:d}")
        except BaseException:
            await self._leave()
            raise
        if not self._outer:
            self._home.current_transaction.set(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        try:
            with busy_if_overloaded():
                if self._committed or self._rolled_back:
                    pass
                elif error is None:
                    await self.transaction.commit()
                elif not self._is_cut():
                    await self._roll_back()
        finally:
            await self._leave()
        return False

    async def _roll_back(self) -> None:
        """Roll back, or hang up where that cannot be said any more: the server does it by itself then.

        A COPY that meets the server's goodbye leaves the connection in the middle of something. What led
        here stays the error that is told.
        """
        try:
            await self.transaction.rollback()
        except (asyncpg.InterfaceError, asyncpg.InternalClientError):
            self.connection.terminate()

    def _is_cut(self) -> bool:
        try:
            return bool(self.connection.is_closed())
        except asyncpg.InterfaceError:
            return True

    async def _leave(self) -> None:
        if self._outer:
            return
        # set, not reset: a generator fixture may be resumed in another context
        self._home.current_transaction.set(None)
        await self._home.release(self.connection)


class Engine(PostgresEngine):
    """Piccolo's engine without a connection at import, with our transactions and pool."""

    def __init__(self) -> None:
        super().__init__(config={})
        self._wait = 0.0

    async def check_version(self) -> None:
        """Nothing: Piccolo would connect while piccolo_conf.py is imported."""

    async def prep_database(self) -> None:
        """Nothing: migrations create the extensions."""

    def current(self) -> Transaction | None:
        """Return the transaction of the running task.

        Raises:
            RuntimeError: the transaction was opened by another task (gather, create_task, wait_for).
        """
        current = cast(Transaction | None, self.current_transaction.get())
        if current and current.task is not asyncio.current_task():
            raise RuntimeError(
                "a transaction stays in the task that opened it: no gather or create_task inside"
            )
        return current

    def transaction(self, allow_nested: bool = True) -> Transaction:
        return Transaction(self, allow_nested)

    async def acquire(self) -> asyncpg.Connection:
        """Take a connection from the pool, or a new one where no pool runs (Piccolo's own commands)."""
        with busy_if_overloaded():
            if self.pool is None:
                return await self.get_new_connection()
            try:
                return cast(asyncpg.Connection, await self.pool.acquire(timeout=self._wait))
            except TimeoutError as trouble:
                raise Busy(msg("现在使用的人太多，请过几秒再试一次。")) from trouble

    async def release(self, connection: asyncpg.Connection) -> None:
        """Give back what :meth:`acquire` gave.

        Where the server goes away meanwhile, the pool drops the connection: what was done on it stays done,
        and is not turned into a failure here.
        """
        with suppress(*_BUSY, asyncpg.InterfaceError, asyncpg.InternalClientError):
            if self.pool is None:
                await connection.close()
            else:
                await self.pool.release(connection)

    async def get_new_connection(self) -> asyncpg.Connection:
        if not self.config:
            chosen = settings()
            self.config = {**_limits(chosen), **(_address(chosen) or embedded.address(chosen))}
        return await asyncpg.connect(**self.config)

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> list[asyncpg.Record]:
        connection = await self.acquire()
        try:
            return cast(list[asyncpg.Record], await connection.fetch(query, *args or ()))
        finally:
            await self.release(connection)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> Any:
        self.current()
        with busy_if_overloaded():
            return await super().run_querystring(querystring, in_pool)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> Any:
        self.current()
        with busy_if_overloaded():
            return await super().run_ddl(ddl, in_pool)

    async def start(self, address: dict[str, Any], chosen: Settings) -> None:
        self.config = {**_limits(chosen), **address}
        self._wait = chosen.pool_wait / 1000
        await self.start_connection_pool(
            min_size=chosen.pool_least, max_size=chosen.pool_most, reset=_as_it_was
        )

    def set_aside(self) -> tuple[Any, dict[str, Any], float]:
        """Hand out the pool that runs, if one does, so that another can run for a while."""
        kept = self.pool, self.config, self._wait
        self.pool, self.config = None, {}
        return kept

    def put_back(self, kept: tuple[Any, dict[str, Any], float]) -> None:
        """Let the pool of :meth:`set_aside` be the one again."""
        self.pool, self.config, self._wait = kept

    async def stop(self) -> None:
        pool, self.pool, self.config = self.pool, None, {}
        if pool is not None:
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except TimeoutError:
                pool.terminate()


async def _as_it_was(_: asyncpg.Connection) -> None:
    """Nothing: what we set or lock ends with its transaction, and who listens has a connection of its own.

    asyncpg would follow every question with another one that makes the connection forget.
    """


#: The one engine of the process. Tables find it through piccolo_conf.py.
DB = Engine()


def _limits(chosen: Settings) -> dict[str, Any]:
    return {
        "server_settings": {
            "application_name": "tiantou",
            "timezone": "UTC",
            "jit": "off",  # compiling costs more than it saves on queries of milliseconds
            "lock_timeout": str(chosen.lock_timeout),
            "statement_timeout": str(chosen.statement_timeout),
            "idle_in_transaction_session_timeout": str(chosen.idle_timeout),
        }
    }


def _address(chosen: Settings, *, as_owner: bool = True) -> dict[str, Any] | None:
    if not chosen.database_url:
        return None
    return {"dsn": (as_owner and chosen.owner_url) or chosen.database_url}


@asynccontextmanager
async def started_pool(
    chosen: Settings | None = None, *, address: dict[str, Any] | None = None, as_owner: bool = False
) -> AsyncIterator[Engine]:
    """Run the pool, and the own server where DATABASE_URL names none, until the block ends.

    ``address`` (host, port, user, database; asyncpg's names) overrides the settings. ``as_owner`` connects
    as the role that owns the tables, to migrate them; whoever serves owns none.

    Raises:
        NoDatabase: there is no server, or it refuses us; the message says how to mend it.
    """
    chosen = chosen or settings()
    async with AsyncExitStack() as stack:
        where = address or _address(chosen, as_owner=as_owner)
        if where is None:
            server = embedded.running(chosen)
            at_work = await asyncio.to_thread(server.__enter__)
            where = at_work.address if as_owner else at_work.serving_address
            stack.push_async_callback(asyncio.to_thread, server.__exit__, None, None, None)
        stack.callback(DB.put_back, DB.set_aside())
        stack.push_async_callback(DB.stop)
        try:
            await DB.start(where, chosen)
        except (OSError, asyncpg.PostgresError, ValueError) as trouble:
            raise NoDatabase(
                msg("连不上数据库：{trouble}。请检查 DATABASE_URL 和数据库服务。", trouble=str(trouble))
            ) from trouble
        yield DB


def transaction(
    *,
    isolation: Isolation | None = None,
    readonly: bool = False,
    statement_timeout: int | None = None,
    lock_timeout: int | None = None,
) -> Transaction:
    """Return ``async with`` block that commits at its end and rolls back on any error.

    Inside another transaction it is a savepoint: a failure that is caught outside the inner block
    undoes the inner block only. Limits are milliseconds (0: none) and replace the settings' for this one.

    Raises:
        Busy: a lock, a time-out or an outage was in the way; nothing was saved.
    """
    given = {"statement_timeout": statement_timeout, "lock_timeout": lock_timeout}
    limits = {name: value for name, value in given.items() if value is not None}
    return Transaction(DB, isolation=isolation, readonly=readonly, limits=limits)


@asynccontextmanager
async def connection() -> AsyncIterator[asyncpg.Connection]:
    """Give the current transaction's connection, else one of the pool's: for COPY and the like."""
    current = DB.current()
    own = current.connection if current else await DB.acquire()
    try:
        with busy_if_overloaded():
            yield own
    finally:
        if not current:
            await DB.release(own)


async def fetch(sql: str, /, *values: object) -> list[asyncpg.Record]:
    """Return the rows of ``sql`` ($1 parameters), in the current transaction if there is one."""
    async with connection() as own:
        return cast(list[asyncpg.Record], await own.fetch(sql, *values))


async def fetch_row(sql: str, /, *values: object) -> asyncpg.Record | None:
    """Return the first row, or None."""
    async with connection() as own:
        return await own.fetchrow(sql, *values)


async def fetch_value(sql: str, /, *values: object) -> Any:
    """Return the first column of the first row, or None."""
    async with connection() as own:
        return await own.fetchval(sql, *values)


async def execute(sql: str, /, *values: object) -> str:
    """Run ``sql`` and return PostgreSQL's word on it, such as ``UPDATE 1``."""
    async with connection() as own:
        return cast(str, await own.execute(sql, *values))


async def add_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Add ``rows`` by COPY: one takes as long as by INSERT, of dozens each a third of it.

    There are no conflicts to pass over and nothing to return; rights and triggers are those of INSERT.
    """
    async with connection() as own:
        await own.copy_records_to_table(table, columns=columns, records=rows)


async def fetch_into(kind: type[S], sql: str, /, *values: object) -> list[S]:
    """Return the rows as ``kind``, column names being field names.

    JSON columns are parsed where the field is no string; sums (``numeric``) become whole numbers where
    the field is an integer.

    Raises:
        msgspec.ValidationError: the columns do not fit ``kind``.
    """
    return [into(kind, row) for row in await fetch(sql, *values)]


async def fetch_one_into(kind: type[S], sql: str, /, *values: object) -> S | None:
    """Return the first row as ``kind``, or None."""
    row = await fetch_row(sql, *values)
    return None if row is None else into(kind, row)


def into(kind: type[S], row: asyncpg.Record) -> S:
    """Return ``row`` as ``kind``; see :func:`fetch_into`."""
    fields = dict(row)
    numbers, documents = _to_prepare(kind)
    for name in numbers:
        value = fields.get(name)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            fields[name] = int(value)
    for name in documents:
        value = fields.get(name)
        if isinstance(value, str):
            fields[name] = msgspec.json.decode(value)
    return msgspec.convert(fields, kind)


@cache
def _to_prepare(kind: type[msgspec.Struct]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fields that hold whole numbers, and those that hold JSON."""
    numbers, documents = [], []
    info = cast(msgspec.inspect.StructType, msgspec.inspect.type_info(kind))
    for field in info.fields:
        shape = field.type
        shapes = shape.types if isinstance(shape, msgspec.inspect.UnionType) else (shape,)
        if any(isinstance(s, msgspec.inspect.IntType) for s in shapes):
            numbers.append(field.encode_name)
        if not any(isinstance(s, _READS_STRING) for s in shapes):
            documents.append(field.encode_name)
    return tuple(numbers), tuple(documents)


_READS_STRING = (
    msgspec.inspect.AnyType,
    msgspec.inspect.StrType,
    msgspec.inspect.LiteralType,
    msgspec.inspect.EnumType,
    msgspec.inspect.UUIDType,
    msgspec.inspect.DateTimeType,
    msgspec.inspect.DateType,
    msgspec.inspect.TimeType,
    msgspec.inspect.DecimalType,
    msgspec.inspect.IntType,
    msgspec.inspect.FloatType,
    msgspec.inspect.BoolType,
    msgspec.inspect.BytesType,
    msgspec.inspect.RawType,
)
