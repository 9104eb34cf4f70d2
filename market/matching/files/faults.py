"""What is wrong in a file that was given, place by place."""

from dataclasses import dataclass, field

from market.i18n import Message, msg
from market.matching.files.readings import shown

#: Faults that are listed of one file; one more says that there are more.
MOST_FAULTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file. ``row`` 0 and ``column`` "": the file as a whole."""

    file: str
    row: int
    column: str
    value: str
    reason: Message


@dataclass
class Sheet:
    """One file's faults."""

    file: str
    faults: list[Fault] = field(default_factory=list)

    def fault(self, reason: Message, *, row: int = 0, column: str = "", value: object = "") -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(self.file, row, column, shown(value)[:200], reason))
        elif len(self.faults) == MOST_FAULTS:
            reason = msg("错误超过 {most} 处，其余没有列出。", most=MOST_FAULTS)
            self.faults.append(Fault(self.file, row, "", "", reason))
