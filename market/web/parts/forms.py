"""Forms: declared once, used to read what was sent, to draw it, and to draw it again with its faults.

    LISTING = Form(
        produce=fields.text(msg("品名"), most=40),
        quantity=fields.quantity(msg("数量")),
        note=fields.text(msg("备注"), most=500, lines=True, optional=True),
    )

    filled = await LISTING.read(request)
    try:
        listing = await operations.publish(command=filled.into(Publish, seller=viewer.organisation_id))
    except Invalid as error:
        return page(request, "supply/new.html", form=filled.refused(error), status=422)

Every faulty field is reported at once, in the reader's language, and what was typed stays.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from litestar.connection import Request
from litestar.datastructures import UploadFile

from market.cells import without_debris
from market.errors import Invalid
from market.i18n import Message, msg
from market.web.edge import csrf
from market.web.parts.fields import Field
from market.web.parts.typed import Wrong

S = TypeVar("S", bound=msgspec.Struct)

#: The unit beside the number ``quantity`` is sent as ``quantity_unit``.
_UNIT = "_unit"
_WITH_UNIT = frozenset({"quantity", "price"})


class Upload(msgspec.Struct, frozen=True):
    """A file that was sent with a form. Its name is the sender's word, nothing more."""

    name: str
    content: bytes


class FileField(msgspec.Struct, frozen=True, kw_only=True):
    """A question that is answered with a file (or several)."""

    label: Message
    #: Endings with the dot, e.g. (".xlsx", ".csv").
    endings: tuple[str, ...]
    most_bytes: int = 10_000_000
    most_files: int = 1
    hint: Message | None = None
    optional: bool = False
    kind: str = "file"

    @property
    def full_label(self) -> Message:
        return self.label


class Form:
    """The fields of one form, by name. See the module's example."""

    def __init__(self, **fields: Field | FileField) -> None:
        self.fields = fields

    def blank(self, **values: object) -> "Filled":
        """Return the form to draw at first, with ``values`` standing in it."""
        typed: dict[str, list[str]] = {}
        for name, value in values.items():
            field = self.fields[name]
            if value is None or isinstance(field, FileField):
                continue
            if isinstance(value, str) and field.kind != "choices":
                typed[name] = [value]
            elif field.several and isinstance(value, Iterable):
                typed[name] = [str(one) for one in value]
            elif isinstance(value, bool):
                typed[name] = ["1"] if value else []
            else:
                text, unit = field.write(value)
                typed[name] = [text]
                if unit:
                    typed[name + _UNIT] = [unit]
        return Filled(form=self, typed=typed)

    async def read(self, request: Request[Any, Any, Any]) -> "Filled":
        """Read a posted form, urlencoded or multipart. A field that the form has not is a fault."""
        typed: dict[str, list[str]] = {}
        uploads: dict[str, list[Upload]] = {}
        for name, value in (await request.form()).multi_items():
            if isinstance(value, UploadFile):
                uploads.setdefault(name, []).append(Upload(value.filename, await value.read()))
            else:
                typed.setdefault(name, []).append(str(value))
        typed.pop(csrf.FIELD, None)
        return self.parse(typed, uploads=uploads)

    def query(self, request: Request[Any, Any, Any]) -> "Filled":
        """Read filters from the address; what the form does not know is left to others."""
        typed: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            if name in self.fields or name.removesuffix(_UNIT) in self.fields:
                typed.setdefault(name, []).append(str(value))
        return self.parse(typed)

    def parse(
        self, typed: Mapping[str, list[str]], *, uploads: Mapping[str, list[Upload]] | None = None
    ) -> "Filled":
        """Return what the fields make of ``typed``: every value that can be read, every fault."""
        values: dict[str, Any] = {}
        errors: dict[str, Message] = {}
        uploads = uploads or {}
        for name, field in self.fields.items():
            try:
                if isinstance(field, FileField):
                    values[name] = _read_files(field, uploads.get(name, []))
                else:
                    values[name] = _read_field(field, typed.get(name, []), typed.get(name + _UNIT, []))
            except Wrong as wrong:
                errors[name] = wrong.message
        for name in [*typed, *uploads]:
            if not self._knows(name):
                errors[name] = msg("这个表单没有“{name}”这一项，请刷新页面重新填写。", name=name[:40])
        return Filled(form=self, typed=dict(typed), values=values, errors=errors)

    def _knows(self, name: str) -> bool:
        if name in self.fields:
            return True
        owner = self.fields.get(name.removesuffix(_UNIT))
        return owner is not None and owner.kind in _WITH_UNIT


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A form with what was typed into it, what that means, and what is wrong with it."""

    form: Form
    typed: dict[str, list[str]]
    values: dict[str, Any] = {}
    errors: dict[str, Message] = {}

    def into(self, kind: type[S], **further: Any) -> S:
        """Return the command ``kind`` made of the values and ``further``.

        Raises:
            Invalid: with every faulty field.
        """
        self.check()
        return kind(**{**self.values, **further})

    def check(self) -> None:
        """Raise Invalid with every faulty field, if there is one."""
        if self.errors:
            raise Invalid(fault_message(self.errors), self.errors)

    def refused(self, error: Invalid) -> "Filled":
        """Return the form with the faults that an operation found added to it."""
        errors = {**self.errors, **error.fields}
        if not error.fields:
            errors[""] = error.message
        return msgspec.structs.replace(self, errors=errors)

    def field(self, name: str) -> Field | FileField:
        return self.form.fields[name]

    def text(self, name: str) -> str:
        """What stands in the control: what was typed last time; a password never."""
        if self.form.fields[name].kind == "secret":
            return ""
        return next(iter(self.typed.get(name, [])), "")

    def chosen(self, name: str) -> list[str]:
        return self.typed.get(name, [])

    def unit(self, name: str) -> str:
        return next(iter(self.typed.get(name + _UNIT, [])), "")

    def error(self, name: str) -> Message | None:
        return self.errors.get(name)

    @property
    def loose_errors(self) -> list[Message]:
        """Faults that belong to no field of the page: they stand above the form."""
        return [message for name, message in self.errors.items() if name not in self.form.fields]


def fault_message(errors: Mapping[str, Message]) -> Message:
    """Return the sentence above a form that was refused."""
    return msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(errors))


def _read_field(field: Field, typed: list[str], unit: list[str]) -> Any:
    texts = [text for text in (_stripped(field, text) for text in typed) if text]
    if field.several:
        chosen = {field.parse(text, "") for text in texts}
        return tuple(value for value in field.options if value in chosen)
    if len(typed) > 1 or len(unit) > 1:
        raise Wrong(msg("这一项收到了好几个值，请刷新页面重新填写。"))
    if not texts:
        if field.optional:
            return field.default
        raise Wrong(_missing(field))
    return field.parse(texts[0], unit[0] if unit else "")


def _stripped(field: Field, text: str) -> str:
    return text if field.kind == "secret" else unicodedata.normalize("NFC", without_debris(text)).strip()


def _missing(field: Field) -> Message:
    if field.kind in {"choice", "chips"}:
        return msg("请选一项。")
    if field.kind == "tick":
        return msg("请勾选后再提交。")
    return msg("请填写这一项。")


def _read_files(field: FileField, sent: list[Upload]) -> Upload | tuple[Upload, ...] | None:
    files = [upload for upload in sent if upload.name or upload.content]
    if len(files) > field.most_files:
        raise Wrong(msg("最多 {most} 个文件。", most=field.most_files))
    for upload in files:
        if not upload.name.lower().endswith(field.endings):
            endings = " ".join(field.endings)
            raise Wrong(
                msg("“{name}”不能用，请选这些类型的文件：{endings}", name=upload.name[:60], endings=endings)
            )
        if len(upload.content) > field.most_bytes:
            most = f"{field.most_bytes / 1_000_000:.0f}"
            raise Wrong(msg("“{name}”太大，最多 {most} MB。", name=upload.name[:60], most=most))
        if not upload.content:
            raise Wrong(msg("“{name}”是空的，请重新选择。", name=upload.name[:60]))
    if not files and not field.optional:
        raise Wrong(msg("请选择文件。"))
    if field.most_files > 1:
        return tuple(files)
    return files[0] if files else None
