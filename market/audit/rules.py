"""How a record, a seal and a list of heads are hashed, and what can be wrong with them. Pure.

Three layers, each of which finds what the one below cannot. A subject's chain shows a record that was
edited, taken out or moved. The seals, a chain over the heads of all chains, show a chain that lost its
end, or a subject that is gone. A list of heads that lies outside the database shows what somebody did
who could rewrite both.
"""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from market.i18n import Message, msg

GENESIS = b"\x00" * 32
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)

#: What new records are hashed by. 1 knew neither the row's number nor its own name, and two neighbouring
#: microseconds could be one to it.
SCHEME = 2
SCHEMES = (1, 2)

EDITED, REORDERED, INSERTED, REPLACED = "edited", "reordered", "inserted", "replaced"
MISSING, CUT_OFF, VANISHED, REWRITTEN, SEAL = "missing", "cut_off", "vanished", "rewritten", "seal"
#: Kind of damage -> what it means.
FAULTS: dict[str, Message] = {
    EDITED: msg("内容被改过"),
    REORDERED: msg("次序被调换"),
    INSERTED: msg("是插进来的"),
    REPLACED: msg("被换成了另一条"),
    MISSING: msg("被抽掉了"),
    CUT_OFF: msg("末尾被截去"),
    VANISHED: msg("整条链不见了"),
    REWRITTEN: msg("整条链被重写"),
    SEAL: msg("总封签被动过"),
}

#: What told of the damage -> its name.
_BY: dict[str, Message] = {
    "chain": msg("链自身"),
    "seal": msg("封签"),
    "heads": msg("库外的链头"),
}


class Fault(msgspec.Struct, frozen=True, order=True):
    """One piece of damage. A seal has the empty subject and its own number for position."""

    subject: str
    position: int
    kind: str
    #: What told of it: ``chain``, ``seal`` or ``heads`` (the file from outside).
    by: str = "chain"


def fault_words(fault: Fault) -> Message:
    """Return a piece of damage as a sentence."""
    if fault.kind == SEAL:
        return msg("封签 {n}：{kind}（{by}）", n=fault.position, kind=FAULTS[SEAL], by=_BY[fault.by])
    return msg(
        "{subject} 第 {n} 条：{kind}（{by}）",
        subject=fault.subject,
        n=fault.position,
        kind=FAULTS[fault.kind],
        by=_BY[fault.by],
    )


class Head(msgspec.Struct, frozen=True, array_like=True):
    """The last record of a subject's chain; ``position`` is also how many records it has."""

    subject: str
    position: int
    #: Hexadecimal.
    hash: str


class Record(msgspec.Struct, frozen=True):
    """A row as it lies there; ``details`` is the text of its JSON."""

    id: int
    subject: str
    position: int
    action: str
    person: int | None
    organisation: int | None
    at: datetime
    details: str
    previous_hash: bytes
    hash: bytes
    scheme: int


def settled(value: Any) -> Any:
    """Return ``value`` (JSON) as the database gives it back: it has no -0.0, and 1e22 is an integer to it."""
    if isinstance(value, dict):
        return {str(name): settled(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [settled(each) for each in value]
    if isinstance(value, float) and value == value:
        if value == 0:
            return 0.0
        if abs(value) >= 1e16 and value.is_integer():
            return int(value)
    return value


def record_hash(
    *,
    scheme: int = SCHEME,
    previous: bytes,
    row_id: int,
    subject: str,
    position: int,
    action: str,
    person_id: int | None,
    organisation_id: int | None,
    at: datetime,
    details: Any,
) -> bytes:
    """Return the SHA-256 over a canonical JSON of the record and the hash before it.

    ``details`` is JSON as :func:`settled` or :func:`read_details` gives it.
    """
    said: list[Any] = [previous.hex(), subject, position, action, person_id, organisation_id]
    if scheme == 1:
        said += [int(at.timestamp() * 1_000_000), details]
    else:
        said += [(at - _EPOCH) // _MICROSECOND, details, row_id, scheme]
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).digest()


def _exactly(text: str) -> float | str:
    """Read a fraction; one that is written in another way than ours (1.50) stays the text that it is."""
    value = float(text)
    return value if text == format(Decimal(repr(value)), "f") else text


_DETAILS = msgspec.json.Decoder(float_hook=_exactly)


def read_details(text: str) -> Any:
    """Read a record's details so that whatever was edited in them hashes otherwise."""
    return _DETAILS.decode(text)


def is_as_hashed(record: Record, *, position: int | None = None) -> bool:
    """Tell whether the record's content gives its own hash; ``position``: were it at that place."""
    return record.scheme in SCHEMES and record.hash == record_hash(
        scheme=record.scheme,
        previous=record.previous_hash,
        row_id=record.id,
        subject=record.subject,
        position=record.position if position is None else position,
        action=record.action,
        person_id=record.person,
        organisation_id=record.organisation,
        at=record.at,
        details=read_details(record.details),
    )


class ChainCheck:
    """Looks at one subject's records as they come, by position, and at what is known of them elsewhere."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.faults: list[Fault] = []
        #: Records seen.
        self.count = 0
        self._last = 0
        self._before = GENESIS
        self._before_is_whole = True
        #: Position -> who knows of it, where no record lies at it.
        self._absent: dict[int, str] = {}

    def record(self, record: Record) -> None:
        """Take the next record; they come in the order of their positions."""
        self.count += 1
        position = record.position
        is_whole = is_as_hashed(record)
        if position <= self._last:
            self._find(position, INSERTED)
            return
        if not is_whole:
            self._find(position, EDITED)
        follows = position == self._last + 1
        for gone in range(self._last + 1, min(position, self._last + 101)):
            self._find(gone, MISSING)
        if follows and is_whole and self._before_is_whole and record.previous_hash != self._before:
            self._find(max(1, position - 1), REPLACED)
        self._last, self._before, self._before_is_whole = position, record.hash, is_whole

    def known(self, position: int, wanted: bytes, found: bytes | None, *, by: str) -> None:
        """Take a head that a seal or the file knows; ``found`` is the hash that lies there now."""
        if found is None:
            self._absent.setdefault(position, by)
        elif found != wanted and not any(each.position == position for each in self.faults):
            self._find(position, REWRITTEN, by=by)

    def finish(self) -> list[Fault]:
        """Return what is wrong with the chain, now that its end has come."""
        for position, by in self._absent.items():
            if self.count == 0:
                self.faults = [Fault(self.subject, max(self._absent), VANISHED, by)]
                break
            if position > self._last:
                self._find(self._last + 1, CUT_OFF, by=by)
                break
        return sorted(set(self.faults))

    def _find(self, position: int, kind: str, *, by: str = "chain") -> None:
        self.faults.append(Fault(self.subject, position, kind, by))


def head_line(head: Head) -> bytes:
    """Return the line by which a head goes into a digest and stands in a file of heads."""
    return msgspec.json.encode(head)


def digest_of(heads: Iterable[Head]) -> bytes:
    """Return the SHA-256 over the heads' lines, in their order: by the bytes of the subject."""
    digest = hashlib.sha256()
    for head in heads:
        digest.update(head_line(head) + b"\n")
    return digest.digest()


def seal_hash(
    *, previous: bytes, position: int, at: datetime, through: int, heads: int, digest: bytes
) -> bytes:
    """Return the hash of a seal over ``heads`` heads, whose digest is ``digest``."""
    said = [previous.hex(), position, (at - _EPOCH) // _MICROSECOND, through, heads, digest.hex()]
    return hashlib.sha256(msgspec.json.encode(said)).digest()


class SealFact(msgspec.Struct, frozen=True):
    """Which seal was the newest."""

    position: int
    hash: str


class Totals(msgspec.Struct, frozen=True):
    """What stands below the heads of a file: counts, the digest of the heads, and the signature."""

    subjects: int
    records: int
    digest: str
    signature: str = ""


def signature_of(totals: Totals, *, made_at: str, seal: SealFact | None, key: bytes) -> str:
    """Return the HMAC-SHA256 over everything that a file of heads says."""
    said = [made_at, seal, totals.subjects, totals.records, totals.digest]
    return hmac.new(key, b"audit heads\n" + msgspec.json.encode(said), hashlib.sha256).hexdigest()
