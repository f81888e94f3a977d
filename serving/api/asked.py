"""What a request asks for beside its body: by the key it comes with, and in `x-weighbridge-*` headers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_origin, get_type_hints

import msgspec

from serving.api.schemas import LimitsBody
from serving.errors import InvalidRequest
from serving.routing.request import NO_LIMITS, Caller, Limits

_PREFIX = b"x-weighbridge-"
# Our own answers carry these; a caller who passes an answer's headers on means nothing by it.
_OF_ANSWERS = frozenset(
    {
        "decision_id",
        "deployment",
        "required_tier",
        "reason",
        "attempts",
        "decide_ms",
        "tier",
        "expected_cost_usd",
    }
)
_HINTS = get_type_hints(LimitsBody)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who calls, and the fields of `LimitsBody` that the headers give."""

    caller: Caller | None = None
    given: Mapping[str, Any] = field(default_factory=dict)

    def limits(self, body: LimitsBody, needs: Collection[str] = ()) -> Limits:
        """Return what body and headers ask for, with what the request itself shows that it needs."""
        if not self.given and not needs and body == _NO_LIMITS:
            return NO_LIMITS
        self._fill(body)
        return Limits(
            max_cost_usd=body.max_cost_usd,
            max_latency_ms=body.max_latency_ms,
            max_first_token_ms=body.max_first_token_ms,
            quality_floor=body.quality_floor,
            minimum_tier=body.minimum_tier,
            maximum_tier=body.maximum_tier,
            capabilities=frozenset({*body.capabilities, *needs}),
            compliance=frozenset(body.compliance),
            allow=None if body.allow is None else frozenset(body.allow),
            deny=frozenset(body.deny),
            pin=tuple(body.pin),
            cost_versus_quality=body.cost_versus_quality,
        )

    def _fill(self, body: LimitsBody) -> None:
        """Put what the headers give into the body's limits; raise InvalidRequest where the two differ."""
        for name, value in self.given.items():
            if getattr(body, name) not in (_DEFAULTS[name], value):
                raise InvalidRequest(
                    f"{name}: the body and the header {_header(name)} differ. Send one of them.", param=name
                )
            setattr(body, name, value)


NOTHING_ASKED = Asked()


def given_in(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, Any]:
    """Return the limits in a request's headers; raise InvalidRequest on one that is unknown or unusable.

    A header of ours that nobody knows is refused: a misspelt limit must not be a missing one.
    """
    found: dict[str, Any] = {}
    for raw_name, raw_value in headers:
        if not raw_name.startswith(_PREFIX):
            continue
        name = raw_name[len(_PREFIX) :].decode("latin-1").replace("-", "_")
        if name in _OF_ANSWERS:
            continue
        if name not in _DEFAULTS:
            known = ", ".join(map(_header, _DEFAULTS))
            raise InvalidRequest(f"{_header(name)}: unknown header. Known: {known}.", param=_header(name))
        found[name] = _value(name, raw_value.decode("latin-1").strip())
    return found


def _value(name: str, text: str) -> Any:
    value: Any = [word.strip() for word in text.split(",") if word.strip()] if name in _LISTS else text
    try:
        checked = msgspec.convert({name: value}, LimitsBody, strict=False)
    except msgspec.ValidationError as error:
        reason = str(error).partition(" - at ")[0]
        raise InvalidRequest(f"{_header(name)}: {reason}.", param=_header(name)) from None
    return getattr(checked, name)


def _header(name: str) -> str:
    return f"x-weighbridge-{name.replace('_', '-')}"


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(_is_list(inner) for inner in getattr(hint, "__args__", ()))


_NO_LIMITS = LimitsBody()
_DEFAULTS: Mapping[str, Any] = {name: getattr(_NO_LIMITS, name) for name in LimitsBody.__struct_fields__}
_LISTS = frozenset(name for name, hint in _HINTS.items() if _is_list(hint))
