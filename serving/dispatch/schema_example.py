"""An example that satisfies a JSON schema: what a demo deployment answers to structured output."""

from __future__ import annotations

from typing import Any

# A schema may refer to itself; an example of it must end.
_MOST_VALUES = 1_000
_DEEPEST = 12
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "email": "demo@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
# Words that narrow a value down in ways that are not looked at here.
_NOT_READ = ("allOf", "not", "if", "pattern", "multipleOf", "uniqueItems", "dependentRequired", "contains")


class NoExample(Exception):
    """The schema asks for something that is not made up here; the message says what."""


def example(schema: Any) -> Any:
    """Return a value that satisfies the schema; raise NoExample where that takes more than the usual words.

    >>> example({"type": "object", "properties": {"city": {"type": "string"}, "size": {"minimum": 3}}})
    {'city': 'demo', 'size': 3}
    """
    try:
        return _Examples(schema).of(schema, 0)
    except (TypeError, AttributeError, ValueError, OverflowError):
        raise NoExample("it is not a valid schema.") from None


class _Examples:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = _MOST_VALUES

    def of(self, schema: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise NoExample("it is too large, or refers to itself without end.")
        if schema is True:
            return None
        if not isinstance(schema, dict):
            raise NoExample("it is not an object.")
        unread = next((word for word in _NOT_READ if schema.get(word)), None)
        if unread is not None:
            raise NoExample(f"{unread!r} is more than a demo reads.")
        if "$ref" in schema:
            return self.of(self._referred(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        for word in ("enum", "anyOf", "oneOf"):
            if schema.get(word):
                return schema["enum"][0] if word == "enum" else self._first_that_ends(schema[word], depth)
        return self._typed(_type(schema), schema, depth)

    def _referred(self, path: Any) -> Any:
        found = self._root
        parts = str(path).split("/")
        for part in parts[1:]:
            found = found.get(part) if isinstance(found, dict) else None
        if parts[0] != "#" or found is None:
            raise NoExample(f"{path!r} refers to nothing in it.")
        return found

    def _first_that_ends(self, options: list[Any], depth: int) -> Any:
        reason = NoExample("it offers nothing to choose from.")
        # deep down, what refers to nothing else comes first: it may be the only way to end
        for option in sorted(options, key=lambda option: depth > 2 and "$ref" in option):
            try:
                return self.of(option, depth + 1)
            except NoExample as error:
                reason = error
        raise reason

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = schema.get("properties") or {}
        required = schema.get("required") or []
        found = dict.fromkeys(name for name in required if name not in fields)
        for name, field in fields.items():
            try:
                found[name] = self.of(field, depth + 1)
            except NoExample:
                if name in required:
                    raise
        return found

    def _typed(self, kind: str, schema: dict[str, Any], depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            number = schema.get("minItems") or 0
            return [
                self.of(schema.get("items", True), depth + 1) for _ in range(min(number, _MOST_VALUES + 1))
            ]
        if kind == "string":
            text = _FORMATS.get(schema.get("format", ""), "demo")
            return text.ljust(schema.get("minLength") or 0, ".")[: schema.get("maxLength")]
        if kind in ("integer", "number"):
            return _number(schema)
        if kind in ("boolean", "null"):
            return False if kind == "boolean" else None
        raise NoExample(f"{kind!r} is not a type.")


def _type(schema: dict[str, Any]) -> str:
    """Return the type, told or guessed from the words that only one type has."""
    told = schema.get("type")
    if isinstance(told, list):
        told = next((kind for kind in told if kind != "null"), "null")
    if isinstance(told, str):
        return told
    guesses = {"properties": "object", "items": "array", "minimum": "number", "maximum": "number"}
    return next((kind for word, kind in guesses.items() if word in schema), "null")


def _number(schema: dict[str, Any]) -> float:
    lowest = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    highest = schema.get("maximum", schema.get("exclusiveMaximum", max(lowest, 0) + 1) - 1)
    value = max(lowest, min(highest, 0))
    if value > highest:
        raise NoExample(f"no whole step lies between {lowest} and {highest}.")
    return float(value) if isinstance(value, float) and not value.is_integer() else int(value)
