"""Why a pair meets, and why a pair, or a seller with a stuck lot, does not: each claim true of the choice."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from market.i18n import Message, in_both, msg
from market.meetings.choosing.limits import Crew, End, Limits, ends_of, load_of
from market.meetings.choosing.pairs import GRADE_WORDS, STRONG, Pair
from market.meetings.choosing.problem import Capacity, Party

_SIDES = {"seller": msg("供货方"), "buyer": msg("采购商")}
_FEN = 100

_FIRM = msg("镇里指定")
_SAVED = msg("滞销货保底")
_WISHED = msg("互选意愿更强")
_WORTH = msg("收益不低于这一对")


#: (kind, strong grade) -> the least gain among the talks of somebody that are of this kind.
_Placed = dict[tuple[str, int], int]


class Reasons(Struct):
    """What a choice looks like from one pair's side."""

    chosen: Sequence[Pair]
    limits: Limits
    capacity: Capacity
    parties: Mapping[int, Party]
    proven: bool
    _load: dict[End, int] = {}
    _stuck: dict[int, int] = {}
    _placed: dict[End | int | None, _Placed] = {}
    _crews: dict[End, int] = {}

    def __post_init__(self) -> None:
        self._load = load_of(self.chosen)
        self._stuck = {}
        for pair in self.chosen:
            if pair.stuck:
                self._stuck[pair.seller] = self._stuck.get(pair.seller, 0) + 1
        self._crews = {end: place for place, crew in enumerate(self.limits.crews) for end in crew.ends}
        self._placed = {}
        for pair in self.chosen:
            kind = "other"
            if pair.firm:
                kind = "firm"
            elif pair.stuck and self._stuck[pair.seller] == 1:
                kind = "saved"
            mine = {end: self._crews.get(end) for end in ends_of(pair)}
            # whose talk it is: each end's, each crew's, and (None) the room's
            for whose in {*mine, *mine.values(), None}:
                placed = self._placed.setdefault(whose, {})
                key = kind, _strong(pair)
                placed[key] = min(placed.get(key, pair.gain), pair.gain)

    def why(self, pair: Pair) -> Message:
        """Return why the chosen ``pair`` meets: what they wish, and what is at stake."""
        said = GRADE_WORDS.get(pair.grade) or (msg("镇里安排的洽谈") if pair.firm else None)
        if pair.worth > 0:
            about: Message | None = msg("撮合建议涉及收益 {yuan} 元", yuan=f"{pair.worth // _FEN:,}")
        elif pair.stuck:
            about = msg("有货还没有去处，先见面谈")
        else:
            about = None
        if said and about:
            return msg("{first}；{second}。", first=said, second=about)
        return msg("{only}。", only=said or about or msg("双方有同类的货"))

    def why_not(self, pair: Pair) -> Message:
        """Return why ``pair`` gets no talk."""
        if pair.obstacle is not None:
            return pair.obstacle
        if pair.needless and self._stuck.get(pair.seller, 0):
            return msg("双方已有成交，可直接联系；想再谈请标“想见”。")
        unserved = pair.stuck and not self._stuck.get(pair.seller, 0)
        if pair.gain < 0 or (pair.gain == 0 and not pair.grade and not unserved):
            return (
                msg("双方已有成交，可直接联系；想再谈请标“想见”。")
                if pair.needless
                else msg("这一对没有可谈的收益。")
            )
        return self._no_room(pair)

    def without(self, pairs: Sequence[Pair]) -> Message:
        """Return why a seller with these pairs over stuck lots gets no talk over one."""
        obstacles = {pair.obstacle.text: pair.obstacle for pair in pairs if pair.obstacle is not None}
        if any(pair.obstacle is None for pair in pairs):
            return msg("对接会容量不够，请增加时段、桌数或每家的场数。")
        if len(obstacles) == 1:
            return msg("可谈的采购商都不行：{reason}", reason=next(iter(obstacles.values())))
        return msg("可谈的采购商都不行：有的不愿谈，有的时间不合，请另找采购商。")

    def _no_room(self, pair: Pair) -> Message:
        """Name whoever is full, and what was placed before ``pair``; the clearest of such statements."""
        if not self.limits.room:
            return msg("没有可排洽谈的时段或桌子。")
        full: list[tuple[Message, End | int | None]] = []
        for end in reversed(ends_of(pair)):
            if not self.limits.most[end]:
                return msg("{who}这次不排洽谈。", who=self._title(end))
            if self._load.get(end, 0) >= self.limits.most[end]:
                full.append((self._full(end), end))
            place = self._crews.get(end)
            if place is not None:
                crew = self.limits.crews[place]
                load = sum(self._load.get(each, 0) for each in crew.ends)
                if load >= crew.most:
                    full.append((self._crew_full(crew, load), place))
        if len(self.chosen) >= self.limits.room:
            text = msg(
                "{slots} 个时段、{tables} 张桌共 {room} 场已排满",
                slots=self.capacity.slots,
                tables=self.capacity.tables,
                room=self.limits.room,
            )
            full.append((text, None))
        for text, whose in full:
            if first := _before(pair, self._placed.get(whose, {})):
                return msg("{full}，先排{first}的。", full=text, first=first)
        if not full or not self.proven:
            return msg("在限定的计算内没有找到更好的排法。")
        return msg("{full}；换上这一对，整场不会更好。", full=full[0][0])

    def _full(self, end: End) -> Message:
        return msg("{who}已排满 {count} 场", who=self._title(end), count=self._load[end])

    def _crew_full(self, crew: Crew, load: int) -> Message:
        # talks that the town has arranged may be more than one person can have
        first, second, *more = [self._title(end) for end in crew.ends]
        text = (
            msg("{first}、{second}等 {n} 家由同一人代表", first=first, second=second, n=len(crew.ends))
            if more
            else msg("{first}和{second}由同一人代表", first=first, second=second)
        )
        return msg("{who}，合起来已排满 {count} 场", who=text, count=load)

    def _title(self, end: End) -> Message:
        side, who = end
        party = self.parties.get(who)
        name = in_both(party.name, party.name_en) if party and party.name else str(who)
        return msg("{side}“{name}”", side=_SIDES[side], name=name)


def _strong(pair: Pair) -> int:
    return pair.grade if pair.grade >= STRONG else 0


def _before(pair: Pair, placed: _Placed) -> Message | None:
    """Return what all that are ``placed`` have over ``pair``; None where one of them has nothing."""
    mine = _strong(pair)
    ranks: list[Message] = []
    for (kind, strong), least in placed.items():
        if kind == "firm":
            ranks.append(_FIRM)
        elif strong > mine:
            ranks.append(_WISHED)
        elif strong == mine and least >= pair.gain:
            ranks.append(_WORTH)
        elif kind == "saved":
            ranks.append(_SAVED)
        else:
            return None
    found = [each for each in (_FIRM, _SAVED, _WISHED, _WORTH) if each in ranks]
    if not found:
        return None
    text = found[0]
    for further in found[1:]:
        text = msg("{one}、{other}", one=text, other=further)
    return text
