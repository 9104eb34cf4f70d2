"""A form as its page draws it: what a browser would send of it, untouched."""

from html.parser import HTMLParser

#: Inputs that are sent only where they are chosen.
_CHOSEN = ("checkbox", "radio")


class _Reader(HTMLParser):
    """Reads the fields of the form that is posted to one address."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action = action
        self.fields: dict[str, list[str]] = {}
        self._is_in = False
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self._is_in = given.get("action") == self.action
        elif not self._is_in:
            return
        elif tag == "input" and name and (given.get("type") not in _CHOSEN or "checked" in given):
            self._put(name, given.get("value", ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._put(self._select, given.get("value", ""))
        elif tag == "textarea":
            self._area = name

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self._put(self._area, data)

    def _put(self, name: str, value: str) -> None:
        if value:
            self.fields.setdefault(name, []).append(value)


def fields_of(page: str, action: str) -> dict[str, list[str]]:
    """Return what stands in the form of ``page`` that is posted to ``action``."""
    reader = _Reader(action)
    reader.feed(page)
    return reader.fields
