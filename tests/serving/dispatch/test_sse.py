"""Events come out the same however the network cut them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.dispatch import sse
from serving.dispatch.sse import EventSplitter, EventTooLarge, event
from tests.fakes import HELLO_CHUNKS, HELLO_STREAM

EXPECTED = [*HELLO_CHUNKS]


def events(*pieces):
    splitter = EventSplitter()
    found = [data for piece in pieces for data in splitter.feed(piece)]
    return found + list(splitter.end())


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_cut_at_every_byte_gives_the_same_events(line_end):
    stream = b": keep-alive\n\n" + HELLO_STREAM.replace(b"data: ", b"event: x\ndata: ", 1)
    whole = events(stream)
    ended = stream.replace(b"\n", line_end)
    assert len(whole) == len(EXPECTED) + 2
    for cut in range(len(ended) + 1):
        assert events(ended[:cut], ended[cut:]) == whole


@given(st.lists(st.integers(0, len(HELLO_STREAM)), max_size=12))
def test_any_cuts_give_the_same_events(cuts):
    places = [0, *sorted(cuts), len(HELLO_STREAM)]
    pieces = [HELLO_STREAM[a:b] for a, b in pairwise(places)]
    assert events(*pieces) == events(HELLO_STREAM)


def test_one_byte_at_a_time_gives_the_same_events():
    assert events(*(bytes([one]) for one in HELLO_STREAM)) == events(HELLO_STREAM)


def test_a_missing_blank_line_at_the_end_loses_nothing():
    assert events(b"data: a\n\ndata: b") == [b"a", b"b"]


def test_comments_ids_and_empty_events_are_dropped():
    assert events(b": ping\n\nid: 7\nretry: 5\n\n\n\ndata: a\n\n") == [b"a"]


def test_data_lines_of_one_event_are_joined():
    assert events(b"data: a\ndata:b\n\n") == [b"a\nb"]
    assert events(event(b"a\nb")) == [b"a\nb"]


def test_an_event_without_end_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(EventTooLarge):
        events(b"data: " + b"x" * 60, b"x" * 60)


def test_lines_without_content_are_counted_too(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    with pytest.raises(EventTooLarge):
        events(b"data:\n" * 200)


def test_an_event_that_ends_in_cr_does_not_wait_for_the_next():
    assert EventSplitter().feed(b"data: a\r\r") == [b"a"]


def test_a_byte_order_mark_is_not_part_of_the_first_event():
    assert events(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]


@given(
    st.lists(st.sampled_from([b"data: a", b"data:", b":c", b"id: 1", b"\r", b"\n", b"\r\n", "é".encode()]))
)
def test_no_cut_changes_what_any_stream_says(parts):
    stream = b"".join(parts)
    assert events(*(bytes([one]) for one in stream)) == events(stream)


@pytest.mark.parametrize(
    "piece",
    [
        b"data: a\n\n",
        b"data: a\n\ndata: b\n\n",
        b"data: a\n\ndata: \n\n",
        b"data: a\ndata: b\n\n",
        b"data: a\n\n: alive\n\n",
        b"data: a\n\n\ndata: b\n\n",
        b"data: a\n\n\n\n",
        b"data:a\n\n",
        b"data: a\n\ndata:b\n\n",
        b"id: 1\ndata: a\n\n",
        b"data: a\r\n\r\n",
        b"data: a\n\ndata: b\n",
        b"data: \n\n",
        b"data: a\n\ndata: b\nid: 1\n\n",
        b"data: data: a\n\n",
    ],
)
def test_a_plain_piece_is_what_its_events_would_be_written_as(piece):
    whole, byte_by_byte = EventSplitter(), EventSplitter()
    found = whole.feed(piece)
    assert found == [
        one for place in range(len(piece)) for one in byte_by_byte.feed(piece[place : place + 1])
    ]
    is_same = b"".join(map(event, found)) == piece
    assert whole.plain == (piece if is_same and not any(b"\n" in data for data in found) else None)


def test_a_piece_after_half_an_event_is_not_plain():
    splitter = EventSplitter()
    assert splitter.feed(b"data: a") == []
    assert splitter.feed(b"\n\n") == [b"a"]
    assert splitter.plain is None
    assert (splitter.feed(b"data: b\n\n"), splitter.plain) == ([b"b"], b"data: b\n\n")
    assert (splitter.end(), splitter.plain) == ([], None)
