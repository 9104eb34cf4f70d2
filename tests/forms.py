"""A page's links and forms as a browser has them, read from its HTML."""

from html.parser import HTMLParser
from typing import NamedTuple

#: Kinds of field that people write words into.
_WORDS = frozenset({"text", "search", "textarea", "tel", "email", "url"})
#: Inputs that are sent only where they are chosen.
_CHOSEN = frozenset({"checkbox", "radio", "file"})


class Form(NamedTuple):
    """A form for posting: what would be sent of it untouched, and which of its fields are for words."""

    action: str
    fields: list[tuple[str, str]]
    words: set[str]


class Page(HTMLParser):
    """The links and the forms of ``text``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._is_in_form = False
        self._select = self._area = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "form":
            self._is_in_form = given.get("method", "") == "post"
            if self._is_in_form:
                self.forms.append(Form(given["action"], [], set()))
        elif self._is_in_form:
            self._field(tag, name, value, given)

    def _field(self, tag: str, name: str, value: str, given: dict[str, str]) -> None:
        _, fields, words = self.forms[-1]
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in dict(fields)):
            fields[:] = [each for each in fields if each[0] != self._select]
            fields.append((self._select, value))
        elif tag == "textarea" and name:
            words.add(name)
            self._area = name
        elif tag == "input" and name:
            kind = given.get("type", "text")
            if kind in _WORDS:
                words.add(name)
            if kind not in _CHOSEN or "checked" in given:
                fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in_form = False
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].fields.append((self._area, data))


def filled_in(page: str, action: str) -> dict[str, list[str]]:
    """Return what is filled in where ``page`` posts to ``action``."""
    found: dict[str, list[str]] = {}
    for form in Page(page).forms:
        if form.action == action:
            for name, value in form.fields:
                if value:
                    found.setdefault(name, []).append(value)
    return found
