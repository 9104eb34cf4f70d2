"""Sound bodies for the API, made from its own OpenAPI document: what is refused is refused for who asks."""

from datetime import timedelta
from typing import Any

import msgspec

from market import clock


def body_for(
    document: dict[str, Any], path: str, things: dict[str, Any], fields: dict[str, Any] | None = None
) -> Any:
    """Return a body that the operation takes, with the numbers of ``things`` where it names one of them.

    ``fields``: what stands in those of its fields instead that it has, in JSON or as it is.
    """
    operation = document["paths"].get(_plain(path), {}).get("post", {})
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return None
    schema = next(iter(content.values()))["schema"]
    known = _followed(document, schema).get("properties", {})
    given = {name: _read(value) for name, value in (fields or {}).items() if name in known}
    return _sample(document, schema, "", things) | given


def _followed(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that another one points to."""
    if "$ref" not in schema:
        return schema
    named: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return named


def _read(value: Any) -> Any:
    try:
        return msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        return value


def choices_of(document: dict[str, Any], path: str) -> dict[str, list[str]]:
    """Return the choices of each part of an address that has some."""
    operations = document["paths"].get(_plain(path), {})
    parameters = [each for one in operations.values() for each in one.get("parameters", ())]
    return {each["name"]: each["schema"]["enum"] for each in parameters if "enum" in each.get("schema", {})}


def _plain(path: str) -> str:
    return path.replace(":int}", "}").replace(":str}", "}")


def _sample(document: dict[str, Any], schema: dict[str, Any], name: str, things: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _sample(document, _followed(document, schema), name, things)
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            return _sample(document, schema[choice][0], name, things)
    if name in things and isinstance(things[name], int):
        return things[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        wanted = schema.get("required", ())
        return {
            each: _sample(document, part, each, things)
            for each, part in schema.get("properties", {}).items()
            if each in wanted
        }
    if kind == "array":
        return [_sample(document, schema["items"], name, things)] * max(1, schema.get("minItems", 0))
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
    if kind == "boolean":
        return True
    if kind == "string":
        return _text(schema, name)
    return None


def _text(schema: dict[str, Any], name: str) -> str:
    if schema.get("format") == "date":
        return (clock.today() + timedelta(days=9 if name.endswith("_to") else 2)).isoformat()
    known = {
        "produce": "peanut",
        "reason": "price",
        "phone": "19900000004",
        "ground": "other",
        "title": "示例一批",
    }
    return known.get(name) or "x" * int(max(4, schema.get("minLength", 0)))
