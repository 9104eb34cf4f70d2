"""Scans of contracts, as those see them who may see the contract."""

from collections import defaultdict
from datetime import datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into
from market.deals.clauses import Terms
from market.deals.scans.rules import UPLOADED, WAITING, WITHDRAWN, Printed, mark_of
from market.deals.terms import terms_in_force
from market.errors import NotFound
from market.i18n import msg


class ScanFile(msgspec.Struct, frozen=True):
    """``size`` in bytes; the hashes are SHA-256, of what is kept and of the file as it was sent."""

    id: int
    name: str
    media_type: str
    size: int
    content_hash: str
    sent_hash: str
    #: It was kept for its period, and went.
    is_gone: bool = False


class ScanRow(msgspec.Struct, frozen=True):
    """A scan with its files. ``version`` of the terms on the paper; ``signs``: its uploader's signature."""

    id: int
    deal: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    person_name: str | None
    version: int
    mark: str
    state: str
    signs: bool
    reason: str | None
    note: str
    created_at: datetime
    presented_at: datetime | None
    answered_at: datetime | None
    files: tuple[ScanFile, ...] = ()


class _FileOf(ScanFile, frozen=True, kw_only=True):
    scan: int


#: Seen by whoever sees the contract; what is not presented, or was withdrawn before, by its uploader alone.
_SEEN = f"""(scan.organisation = $2 OR (scan.state <> '{UPLOADED}'
  AND (scan.state <> '{WITHDRAWN}' OR scan.presented_at IS NOT NULL)))"""


async def scans_of(*, deal_id: int, organisation_id: int) -> list[ScanRow]:
    """Return the scans of a contract, newest first. Whether it is the organisation's, the caller knows."""
    rows = await fetch_into(
        ScanRow,
        f"""SELECT scan.id, scan.deal, scan.organisation, organisation.name AS organisation_name,
                   organisation.name_en AS organisation_name_en, person.name AS person_name, scan.version,
                   scan.mark, scan.state, scan.signs, scan.reason, scan.note, scan.created_at,
                   scan.presented_at, scan.answered_at
            FROM contract_scan scan JOIN organisation ON organisation.id = scan.organisation
            LEFT JOIN person ON person.id = scan.person
            WHERE scan.deal = $1 AND {_SEEN} ORDER BY scan.id DESC""",  # noqa: S608  words of ours; values are parameters
        deal_id,
        organisation_id,
    )
    files: defaultdict[int, list[ScanFile]] = defaultdict(list)
    if rows:
        for each in await fetch_into(
            _FileOf,
            """SELECT id, scan, name, media_type, size, content_hash, sent_hash, content IS NULL AS is_gone
               FROM contract_scan_file WHERE scan = ANY($1::bigint[]) ORDER BY id""",
            [row.id for row in rows],
        ):
            files[each.scan].append(
                ScanFile(**{name: getattr(each, name) for name in ScanFile.__struct_fields__})
            )
    return [msgspec.structs.replace(row, files=tuple(files[row.id])) for row in rows]


async def awaits_confirming(*, organisation_id: int) -> frozenset[int]:
    """Return the contracts of which the other side's scan waits for this side's word."""
    rows = await fetch_into(
        _Waiting,
        """SELECT scan.deal FROM contract_scan scan JOIN deal ON deal.id = scan.deal
           WHERE scan.state = $2 AND $1 IN (deal.seller, deal.buyer) AND scan.organisation <> $1""",
        organisation_id,
        WAITING,
    )
    return frozenset(row.deal for row in rows)


class _Waiting(msgspec.Struct, frozen=True):
    deal: int


class ScanContent(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    content_hash: str
    content: bytes


async def scan_content(*, deal_id: int, scan_id: int, file_id: int, organisation_id: int) -> ScanContent:
    """Return one file of a scan. That the contract is the organisation's to see is the caller's.

    Raises:
        NotFound: there is none, it is not yours to see yet, or its period is over.
    """
    found = await fetch_one_into(
        ScanContent,
        f"""SELECT file.name, file.media_type, file.content_hash, file.content FROM contract_scan_file file
            JOIN contract_scan scan ON scan.id = file.scan
            WHERE scan.deal = $1 AND {_SEEN} AND scan.id = $3 AND file.id = $4
              AND file.content IS NOT NULL""",  # noqa: S608  words of ours; values are parameters
        deal_id,
        organisation_id,
        scan_id,
        file_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这份扫描件，或者已过保存期。"))
    return found


async def mark_in_force(*, deal_id: int) -> str:
    """Return the mark on the pages of the contract as it is printed now."""
    _, terms = await terms_in_force(deal_id=deal_id)
    return mark_of(await printed(deal_id=deal_id), terms)


async def printed(*, deal_id: int) -> Printed:
    """Return what a contract's paper says beside its terms. Raises: NotFound."""
    found = await fetch_one_into(
        Printed, "SELECT number, seller, buyer, quantity, price FROM deal WHERE id = $1", deal_id
    )
    if found is None:
        raise NotFound(msg("没有找到这份合同。"))
    return found


class _Agreed(msgspec.Struct, frozen=True):
    version: int
    terms: Terms


async def marks_of(*, deal_id: int) -> dict[str, int]:
    """Return mark -> version of the terms, of all that were ever in force; where one came back, the last."""
    paper = await printed(deal_id=deal_id)
    rows = await fetch_into(
        _Agreed,
        "SELECT version, terms FROM contract_terms WHERE deal = $1 AND state = 'agreed' ORDER BY version",
        deal_id,
    )
    version, terms = await terms_in_force(deal_id=deal_id)
    return {mark_of(paper, row.terms): row.version for row in rows} | {mark_of(paper, terms): version}
