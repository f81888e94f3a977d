"""What of a JSON schema Anthropic's structured outputs enforce; the rest is told to the model in words.

platform.claude.com/docs/en/build-with-claude/structured-outputs, "JSON Schema limitations": bounds of
numbers, lengths and counts are refused there, objects must be closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_NOT_ENFORCED = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")
_LISTS_OF_SCHEMAS = ("anyOf", "allOf", "prefixItems")


def supported(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that is accepted; what cannot be enforced stands in its description.

    >>> supported({"type": "integer", "minimum": 3})
    {'type': 'integer', 'description': 'minimum: 3.'}
    """
    found = {name: value for name, value in schema.items() if name not in _NOT_ENFORCED}
    if "oneOf" in found:
        found["anyOf"] = found.pop("oneOf")
    for name in _SCHEMAS_BY_NAME:
        if isinstance(found.get(name), dict):
            found[name] = {key: _inner(value) for key, value in found[name].items()}
    for name in _LISTS_OF_SCHEMAS:
        if isinstance(found.get(name), list):
            found[name] = [_inner(value) for value in found[name]]
    if isinstance(found.get("items"), dict):
        found["items"] = supported(found["items"])
    if found.get("type") == "object" or "properties" in found:
        found["additionalProperties"] = False
    told = [f"{name}: {_json(schema[name])}." for name in _NOT_ENFORCED if name in schema]
    # only 0 and 1 are enforced
    if found.get("minItems", 0) not in (0, 1):
        told.append(f"minItems: {found.pop('minItems')}.")
    if told:
        found["description"] = " ".join([*filter(None, [found.get("description")]), *told])
    return found


def _inner(schema: Any) -> Any:
    return supported(schema) if isinstance(schema, dict) else schema


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
