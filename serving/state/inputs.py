"""What a decision went by, as the log keeps it: enough to decide again and come to the same, bit for bit.

Everything is the frozen dataclass itself in MessagePack, which holds every float exactly and infinity too;
a field that a dataclass gains is logged and read back without a change here. What many decisions share
(catalog, policy, tables) is a *part*, stored once; tables that changed are stored as what differs from those
before, back to whole ones, so that a long catalog costs no more than what moved in it.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from serving.records import DecisionRecord, Prediction
from serving.routing.catalog import Catalog
from serving.routing.policy import Policy
from serving.routing.request import RoutingRequest
from serving.routing.router import Inputs
from serving.routing.snapshot import Snapshot

# Tables are stored whole again after twice as many differences as they have rows, within these bounds: what
# whole ones take is then about what the differences take.
_FEWEST_DIFFERENCES, _MOST_DIFFERENCES = 16, 512
_PARTS_AT_HAND = 64

_LARGEST = 2**63 - 1

Parts = dict[str, bytes]
Kind = TypeVar("Kind")


class UnreadableInputs(Exception):
    """Inputs that were never logged, or that this version cannot read; the message says which."""


@dataclass(frozen=True, slots=True)
class Logged:
    """The inputs of one decision, with what a classifier reads beside the prompt's messages."""

    inputs: Inputs
    tools: int
    response_format: str | None


class _Row(msgspec.Struct):
    """The inputs as a row holds them; `catalog`, `policy` and `tables` are keys of parts."""

    request: RoutingRequest
    prediction: Prediction
    snapshot: Snapshot
    catalog: str
    policy: str
    tables: str
    tools: int = 0
    response_format: str | None = None


class _Tables(msgspec.Struct):
    """The tables of a snapshot, or what differs from those of `base`."""

    base: str
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in the log already, seen from the records written so far by one process."""

    run: str = field(default_factory=lambda: secrets.token_hex(6))
    count: int = 0
    differences: int = 0
    last_key: str = ""
    last: Snapshot | None = None
    catalog: tuple[Catalog | None, str] = (None, "")
    policies: frozenset[str] = frozenset()

    def packed(self, record: DecisionRecord) -> tuple[bytes | None, Parts, Kept]:
        """Return a record's inputs as bytes, the parts they need that are not kept yet, and what then is."""
        if record.inputs is None:
            return None, {}, self
        inputs = Inputs(*record.inputs)
        parts: Parts = {}
        catalog = self._catalog(inputs.catalog, parts)
        policy = _policy_key(inputs.policy)
        if policy not in self.policies:
            parts[policy] = _pack(inputs.policy)
        count, differences, tables = self._tables(inputs.snapshot, parts)
        row = _Row(
            request=inputs.request,
            prediction=inputs.prediction,
            snapshot=_without_tables(inputs.snapshot),
            catalog=catalog[1],
            policy=policy,
            tables=tables,
            tools=record.tools,
            response_format=record.response_format,
        )
        policies = self.policies if policy in self.policies else self.policies | {policy}
        kept = Kept(self.run, count, differences, tables, inputs.snapshot, catalog, policies)
        return _pack(row), parts, kept

    def _catalog(self, catalog: Catalog, parts: Parts) -> tuple[Catalog | None, str]:
        if catalog is self.catalog[0]:
            return self.catalog
        # sets come in any order, deployments do not: their order is that of a decision's reasons
        content = _STEADY.encode((tuple(catalog.deployments), catalog))
        key = f"catalog-{blake2b(content, digest_size=12).hexdigest()}"
        parts[key] = _pack(catalog)
        return catalog, key

    def _tables(self, snapshot: Snapshot, parts: Parts) -> tuple[int, int, str]:
        """Return the number of tables so far, of differences since whole ones, and the key of these."""
        if self.last is not None and _same_tables(self.last, snapshot):
            return self.count, self.differences, self.last_key
        count = self.count + 1
        key = f"tables-{self.run}-{count}"
        changed = None
        if self.last is not None and self.differences < _differences_at_most(snapshot):
            changed = _changed(self.last, snapshot)
        whole = changed is None
        parts[key] = _pack(_Tables("" if whole else self.last_key, snapshot if changed is None else changed))
        return count, 0 if whole else self.differences + 1, key


class Unpacker:
    """Reads inputs back; `part` fetches one by its key, None where there is none."""

    def __init__(self, part: Callable[[str], bytes | None]) -> None:
        self._part = part
        self._policies = lru_cache(_PARTS_AT_HAND)(lambda key: self._unpacked(key, Policy))
        self._catalogs = lru_cache(_PARTS_AT_HAND)(lambda key: self._unpacked(key, Catalog))
        self._at_hand: OrderedDict[str, Snapshot] = OrderedDict()

    def unpack(self, packed: bytes | None) -> Logged:
        """Return the inputs in a row; raise UnreadableInputs where they cannot be had."""
        if packed is None:
            raise UnreadableInputs("logged without its inputs, by an earlier version")
        row = _read(packed, _Row)
        tables = self._tables(row.tables)
        snapshot = _with_tables(row.snapshot, {name: getattr(tables, name) for name in _TABLES})
        inputs = Inputs(
            row.request, row.prediction, self._catalogs(row.catalog), snapshot, self._policies(row.policy)
        )
        return Logged(inputs, row.tools, row.response_format)

    def _tables(self, key: str) -> Snapshot:
        """Go back from differences to what is whole or at hand, and forward again."""
        steps: list[_Tables] = []
        place = key
        while place and place not in self._at_hand:
            steps.append(self._unpacked(place, _Tables))
            place = steps[-1].base
        tables = self._at_hand[place] if place else steps.pop().snapshot
        for step in reversed(steps):
            tables = _with_tables(
                tables, {name: {**getattr(tables, name), **getattr(step.snapshot, name)} for name in _TABLES}
            )
        self._at_hand[key] = tables
        self._at_hand.move_to_end(key)
        if len(self._at_hand) > _PARTS_AT_HAND:
            self._at_hand.popitem(last=False)
        return tables

    def _unpacked(self, key: str, kind: type[Kind]) -> Kind:
        body = self._part(key)
        if body is None:
            raise UnreadableInputs("the log lacks the catalog, policy or tables that it was made with")
        return _read(body, kind)


def _tables_of(snapshot: type[Snapshot]) -> tuple[str, ...]:
    """Return the fields that hold a table: whatever the snapshot maps by name."""
    return tuple(one.name for one in fields(snapshot) if str(one.type).startswith("Mapping["))


_TABLES = _tables_of(Snapshot)
_BESIDE = tuple(one.name for one in fields(Snapshot) if one.name not in _TABLES)
_STEADY = msgspec.msgpack.Encoder(order="deterministic")


def _with_tables(snapshot: Snapshot, tables: dict[str, Any]) -> Snapshot:
    return replace(snapshot, **tables)


def _without_tables(snapshot: Snapshot) -> Snapshot:
    # for every decision, so that it must be quick: a table that is not given is empty
    return Snapshot(**{name: getattr(snapshot, name) for name in _BESIDE})


def _same_tables(one: Snapshot, other: Snapshot) -> bool:
    return all(
        getattr(one, name) is getattr(other, name) or getattr(one, name) == getattr(other, name)
        for name in _TABLES
    )


def _differences_at_most(snapshot: Snapshot) -> int:
    rows = sum(len(getattr(snapshot, name)) for name in _TABLES)
    return min(max(2 * rows, _FEWEST_DIFFERENCES), _MOST_DIFFERENCES)


def _changed(last: Snapshot, now: Snapshot) -> Snapshot | None:
    """Return what of `now` is not in `last`; None where `last` has what `now` lacks."""
    changed: dict[str, Any] = {}
    for name in _TABLES:
        before, after = getattr(last, name), getattr(now, name)
        if before.keys() - after.keys():
            return None
        # most rows are the same objects, which are quickly told
        changed[name] = {
            key: value
            for key, value in after.items()
            if (known := before.get(key)) is not value and known != value
        }
    return _with_tables(now, changed)


def _policy_key(policy: Policy) -> str:
    return f"policy-{policy.version}"


def _pack(value: object) -> bytes:
    try:
        return msgspec.msgpack.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return msgspec.msgpack.encode(_cleaned(msgspec.to_builtins(value)))


def _cleaned(value: Any) -> Any:
    """Return plain values without what JSON lets in and nothing else takes.

    Lone surrogates are replaced; a number of tokens beyond 64 bits, which fits no window, is the largest.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return min(value, _LARGEST) if type(value) is int else value


def _read(packed: bytes, kind: type[Kind]) -> Kind:
    try:
        return msgspec.msgpack.decode(packed, type=kind)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise UnreadableInputs(f"its inputs are of another version ({error})") from error
