"""A pickled pandas table, read without ever being unpickled: nothing that it names is imported or called.

A pickle is a small program. Here its steps are followed on plain values alone; what it would construct
becomes a note of name, arguments and state, and the columns are picked out of those notes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_PLAIN = {
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BININT", "BININT1", "BININT2", "LONG1"),
    *("BINFLOAT", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_FIXED = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NUMBERS = {"f8": "<f8", "f4": "<f4", "i8": "<i8", "i4": "<i4", "b1": "|b1"}


class PickledTableError(ValueError):
    """A pickle that is no table of the known kind; the message says what was met."""


@dataclass(slots=True)
class _Note:
    """What a pickle would construct: the dotted name it would call, with what, and the state it would set."""

    name: str
    arguments: Any = ()
    state: Any = None


class _Mark:
    """Where a run of values begins on the stack."""


def pickled_columns(payload: bytes) -> dict[str, list[Any]]:
    """Return the columns of a pickled DataFrame by name; raise PickledTableError for anything else."""
    try:
        frame = _notes(payload)
        blocks, axes = frame.state["_mgr"].arguments
        names = _array(axes[0].arguments[1]["data"])
        columns: dict[str, list[Any]] = {}
        for block in blocks:
            values, placement, _ = block.arguments
            columns |= zip((names[place] for place in _places(placement)), _array(values), strict=True)
    except PickledTableError:
        raise
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise PickledTableError(f"it is no pickled table of the known kind: {error!r}") from error
    return {name: columns[name] for name in names}


def _notes(payload: bytes) -> Any:
    """Follow the pickle's steps over plain values; return what it leaves."""
    stack: list[Any] = []
    memo: list[Any] = []
    for step, argument, _ in pickletools.genops(payload):
        name = step.name
        if name in _PLAIN:
            stack.append(argument)
        elif name in _FIXED:
            stack.append(_FIXED[name])
        elif name in _TUPLES:
            stack.append(tuple(_taken(stack, _TUPLES[name])))
        elif name == "MEMOIZE":
            memo.append(stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument or 0)])
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            _combine(name, stack)
    raise PickledTableError("it ends before its last step")


def _combine(name: str, stack: list[Any]) -> None:
    """Do a step that works on what lies on the stack."""
    if name == "MARK":
        stack.append(_Mark)
    elif name in ("EMPTY_LIST", "EMPTY_DICT"):
        stack.append([] if name == "EMPTY_LIST" else {})
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("APPEND", "APPENDS"):
        found = _since_mark(stack) if name == "APPENDS" else _taken(stack, 1)
        stack[-1].extend(found)
    elif name in ("SETITEM", "SETITEMS"):
        found = _since_mark(stack) if name == "SETITEMS" else _taken(stack, 2)
        stack[-1].update(zip(found[::2], found[1::2], strict=True))
    elif name == "STACK_GLOBAL":
        module, called = _taken(stack, 2)
        stack.append(_Note(f"{module}.{called}"))
    elif name in ("REDUCE", "NEWOBJ"):
        called, arguments = _taken(stack, 2)
        stack.append(_Note(called.name, arguments))
    elif name == "BUILD":
        (state,) = _taken(stack, 1)
        stack[-1].state = state
    else:
        raise PickledTableError(f"it takes a step that no table needs: {name}")


def _taken(stack: list[Any], count: int) -> list[Any]:
    if count > len(stack):
        raise PickledTableError("it takes more than it has put down")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return taken


def _since_mark(stack: list[Any]) -> list[Any]:
    for place in range(len(stack) - 1, -1, -1):
        if stack[place] is _Mark:
            taken = stack[place + 1 :]
            del stack[place:]
            return taken
    raise PickledTableError("it closes what it has not opened")


def _array(note: Any) -> list[Any]:
    """Return a noted array as a list, of lists where it has two dimensions; numpy writes them in two ways."""
    if note.name.endswith("._frombuffer"):
        data, kind, shape, order = note.arguments
    elif note.name.endswith("._reconstruct"):
        _, shape, kind, by_column, data = note.state
        order = "F" if by_column else "C"
    else:
        raise PickledTableError(f"a column is kept as {note.name}, which is not known")
    code = kind.arguments[0]
    if code.startswith("O"):
        flat = np.empty(len(data), dtype=object)
        flat[:] = data
    elif code in _NUMBERS:
        flat = np.frombuffer(bytes(data), dtype=_NUMBERS[code])
    else:
        raise PickledTableError(f"a column holds values of the kind {code!r}, which is not known")
    found: list[Any] = flat.reshape(shape, order=order).tolist()
    return found


def _places(note: Any) -> Sequence[int]:
    """Return which columns a block holds: a slice, or their numbers."""
    if note.name == "builtins.slice":
        return range(*note.arguments)
    return _array(note)
