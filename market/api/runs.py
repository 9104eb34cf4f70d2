"""Runs of the matching engine, for officials."""

from datetime import datetime
from typing import Any

import msgspec
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.api.handling import deed, read
from market.api.inputs import IdempotencyKey, PathId, Reader, SignedIn
from market.api.matches import MatchView
from market.api.outputs import told
from market.db.replay import once
from market.matching import queries
from market.matching.findings import diagnoses_of_run
from market.matching.operations import request_run


class RunView(msgspec.Struct, frozen=True):
    """`worth` in fen, `grams` proposed; `certificate` proves that no other result is worth more."""

    id: int
    town: int
    state: str
    parameters: dict[str, Any]
    certificate: dict[str, Any] | None
    worth: int | None
    error: str | None
    created_by: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    matches: int
    grams: int


class Finding(msgspec.Struct, frozen=True):
    """One change that would open these demands to a listing. Grams; `cost` in hao per kg."""

    listing: int
    title: str
    title_en: str
    remaining: int
    rank: int
    obstacle: str
    change: str
    unlocks: int
    demands: list[int]
    cost: int
    value: int | None
    confirmed: bool


class Requested(msgspec.Struct, frozen=True):
    run_id: int


class _Request(msgspec.Struct, frozen=True):
    town_id: int


def _town(viewer: Viewer) -> int:
    """Return the town that the viewer speaks for. Raises: NotAllowed."""
    actor(viewer, "official")
    return viewer.organisation_id


@read("/runs")
async def index(viewer: SignedIn, language: Reader) -> list[RunView]:
    """Your town's runs, newest first."""
    return [told(RunView, row, language) for row in await queries.runs_of(town_id=_town(viewer))]


@read("/runs/{run_id:int}")
async def one(viewer: SignedIn, language: Reader, run_id: PathId) -> RunView:
    """One run with its certificate."""
    return told(RunView, await queries.run_of(run_id=run_id, town_id=_town(viewer)), language)


@read("/runs/{run_id:int}/matches")
async def matches(viewer: SignedIn, language: Reader, run_id: PathId) -> list[MatchView]:
    """What a run proposed, by worth."""
    town_id = _town(viewer)
    await queries.run_of(run_id=run_id, town_id=town_id)
    rows = await queries.matches_of_run(run_id=run_id, town_id=town_id)
    return [told(MatchView, row, language) for row in rows]


@read("/runs/{run_id:int}/diagnosis")
async def diagnosis(viewer: SignedIn, language: Reader, run_id: PathId) -> list[Finding]:
    """Why what is left was left, the largest rest first."""
    town_id = _town(viewer)
    await queries.run_of(run_id=run_id, town_id=town_id)
    rows = await diagnoses_of_run(run_id=run_id, town_id=town_id)
    return [told(Finding, row, language) for row in rows]


@deed("/runs", status=202)
async def request(viewer: SignedIn, key: IdempotencyKey = None) -> Requested:
    """Queue a run for your town; follow it under `/runs/{run_id}`."""
    by, at = actor(viewer, "official"), clock.now()

    async def do() -> Requested:
        return Requested(await request_run(town_id=viewer.organisation_id, actor=by, at=at))

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Request(viewer.organisation_id),
        reply_type=Requested,
        deed=do,
        at=at,
    )


routes: list[ControllerRouterHandler] = [index, one, matches, diagnosis, request]
