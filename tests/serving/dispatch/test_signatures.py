"""What is remembered for forgetful clients is bounded: the oldest makes room."""

from __future__ import annotations

from serving.dispatch import signatures
from serving.dispatch.signatures import Signatures


def test_what_was_kept_is_found_and_nothing_else():
    kept = Signatures()
    kept.keep("a", "one", 3)
    assert (kept.of("a"), kept.of("b")) == ("one", None)


def test_the_oldest_makes_room_by_number_and_by_size(monkeypatch):
    monkeypatch.setattr(signatures, "_MOST", 3)
    monkeypatch.setattr(signatures, "_MOST_BYTES", 100)
    kept = Signatures()
    for name in "abcd":
        kept.keep(name, name, 10)
    assert [kept.of(name) for name in "abcd"] == [None, "b", "c", "d"]
    kept.keep("e", "e", 95)
    assert [kept.of(name) for name in "bcde"] == [None, None, None, "e"]


def test_keeping_again_counts_once(monkeypatch):
    monkeypatch.setattr(signatures, "_MOST_BYTES", 100)
    kept = Signatures()
    for _ in range(10):
        kept.keep("a", "a", 40)
    kept.keep("b", "b", 40)
    assert (kept.of("a"), kept.of("b")) == ("a", "b")
