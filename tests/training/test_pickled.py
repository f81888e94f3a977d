"""A pickled table gives its columns, and never runs what a pickle may run."""

from __future__ import annotations

import contextlib
import os
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.pickled import PickledTableError, pickled_columns


def table() -> pd.DataFrame:
    """As RouterBench keeps it: texts and scores as objects, costs as numbers, names as objects."""
    frame = pd.DataFrame(
        {
            "text": pd.Series(["one", "two", "three"], dtype=object),
            "score": pd.Series([1.0, 0.25, "0"], dtype=object),
            "cost": [0.5, 0.25, float("nan")],
            "count": [3, 2, 1],
            "kept": [True, False, True],
        }
    )
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    return frame


def pickled(frame: object = None) -> bytes:
    return pickle.dumps(table() if frame is None else frame, protocol=5)


def test_columns_are_those_that_pandas_reads():
    found = pickled_columns(pickled())
    assert list(found) == ["text", "score", "cost", "count", "kept"]
    assert found["score"] == [1.0, 0.25, "0"]
    for name, values in found.items():
        np.testing.assert_array_equal(values, table()[name].to_list())


def test_columns_that_lie_apart_find_their_names():
    frame = table()[["cost", "text", "count", "score"]]
    frame["late"] = [7.0, 8.0, 9.0]
    frame = frame.copy()
    assert pickled_columns(pickled(frame))["late"] == [7.0, 8.0, 9.0]
    assert pickled_columns(pickled(frame))["text"] == ["one", "two", "three"]


class _Hostile:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (self.file,)


@pytest.mark.parametrize("inside", [False, True])
def test_nothing_that_a_pickle_names_is_called(tmp_path, inside):
    made = tmp_path / "made"
    payload = (
        pickled(table().assign(text=[_Hostile(str(made))] * 3)) if inside else pickled(_Hostile(str(made)))
    )
    if inside:
        assert type(pickled_columns(payload)["text"][0]).__name__ == "_Note"
    else:
        with pytest.raises(PickledTableError):
            pickled_columns(payload)
    assert not made.exists()
    if not inside:
        pickle.loads(payload)  # what the standard library makes of it
        assert made.exists()


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (pickle.dumps([1, 2]), "no pickled table"),
        (pickle.dumps(pd.Series([1.0])), "no pickled table"),
        (pickle.dumps(pd.DataFrame({"when": pd.to_datetime(["2024-01-01"])})), "not known"),
        (b"", "no pickled table"),
        (b"\x80\x05cos\nsystem\n.", "a step that no table needs: GLOBAL"),
    ],
)
def test_another_pickle_is_refused(payload, said):
    with pytest.raises(PickledTableError, match=said):
        pickled_columns(payload)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_damaged_pickle_is_refused_or_read_but_never_anything_else(data):
    payload = bytearray(pickled())
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PickledTableError):
        pickled_columns(bytes(payload))
