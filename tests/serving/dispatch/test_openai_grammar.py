"""Whatever a provider of OpenAI's protocol makes of its stream, a caller sees one grammar."""

from __future__ import annotations

import json

import pytest

from tests.fakes import HELLO_CHUNKS, USAGE, FakeProvider, chunk, sse, streaming
from tests.serving.dispatch.asking import ASKED, adapter, deployment, put_together, streamed


def follow(*data, wants_usage=True, **fields):
    with FakeProvider(streaming(sse(*data, b"[DONE]"))) as provider:
        row = deployment("openai_compatible", provider.base_url)
        return streamed(adapter("openai_compatible"), row, ASKED | fields, wants_usage=wants_usage)


def call(arguments="", **fields):
    name = fields.pop("name", None)
    return {"function": {"arguments": arguments} | ({"name": name} if name else {})} | fields


def calls(*parts):
    return [chunk({"tool_calls": [part]}) for part in parts]


def roles(found):
    deltas = [choice["delta"] for one in found.chunks for choice in one["choices"]]
    return [place for place, delta in enumerate(deltas) if "role" in delta]


def test_a_stream_that_follows_the_grammar_is_not_touched():
    assert b"".join(follow(*HELLO_CHUNKS).events) == sse(*HELLO_CHUNKS, b"[DONE]")


def test_a_role_in_every_chunk_is_told_once():
    found = follow(*(chunk({"role": "assistant", "content": word}) for word in "abc"), chunk({}, "stop"))
    assert roles(found) == [0]
    assert put_together(found.chunks)["content"] == "abc"


def test_a_role_that_is_never_told_is_told():
    assert roles(follow(chunk({"content": "a"}), chunk({}, "stop"))) == [0]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_usage_beside_words_comes_in_one_chunk_of_its_own_to_those_who_asked(wants_usage):
    last = chunk({}, "stop", usage=USAGE)
    found = follow(HELLO_CHUNKS[0], chunk({"content": "a"}, usage=USAGE), last, wants_usage=wants_usage)
    told = [one["choices"] for one in found.chunks if one.get("usage")]
    assert told == ([[]] if wants_usage else [])
    assert (found.usage.input_tokens, found.usage.output_tokens) == (7, 2)


def test_usage_that_is_told_twice_is_passed_on_once():
    twice = json.dumps({"id": "c1", "choices": [], "usage": USAGE}).encode()
    found = follow(*HELLO_CHUNKS, twice, twice)
    assert len([one for one in found.chunks if one.get("usage")]) == 1


A, B = {"id": "a", "name": "f"}, {"id": "b", "name": "g"}


@pytest.mark.parametrize(
    "parts",
    [
        [call(index=0, **A), call("{", index=0), call("}", index=0), call("{}", index=1, **B)],
        [call("{}", **A), call("{}", **B)],
        [call("{", index=0, **A), call("}", index=0, **A), call("{}", index=1, **B)],
        [call("{}", index=0, **A), call("{}", index=0, **B)],
        [call("{", index=0, **A), call("}", id="", index=0), call("{}", index=5, **B)],
    ],
    ids=["as OpenAI", "no index", "named again", "one index for all", "gaps"],
)
def test_calls_come_with_one_id_and_one_index_each(parts):
    found = follow(HELLO_CHUNKS[0], *calls(*parts), chunk({}, "tool_calls"))
    told = [
        (entry["index"], entry.get("id"))
        for one in found.chunks
        for choice in one["choices"]
        for entry in choice["delta"].get("tool_calls", ())
    ]
    assert [pair for pair in told if pair[1]] == [(0, "a"), (1, "b")]
    assert [(one["function"]["name"], one["function"]["arguments"])
            for one in put_together(found.chunks)["tool_calls"]] == [("f", "{}"), ("g", "{}")]  # fmt: skip


def test_a_call_without_an_id_gets_one():
    (made,) = put_together(follow(*calls(call("{}", index=0, name="f")), chunk({}, "stop")).chunks)[
        "tool_calls"
    ]
    assert made["id"].startswith("call_")


@pytest.mark.parametrize(
    ("said", "meant"), [("stop", "tool_calls"), ("length", "length"), ("model_length", "length")]
)
def test_the_finish_reason_is_openais(said, meant):
    found = follow(*calls(call("{}", id="a", index=0, name="f")), chunk({}, said))
    assert put_together(found.chunks)["finish_reason"] == meant


@pytest.mark.parametrize("reason", ["error", "insufficient_system_resource"])
def test_an_answer_that_broke_off_inside_the_provider_is_a_failure(reason):
    found = follow(HELLO_CHUNKS[0], HELLO_CHUNKS[1], chunk({}, reason))
    assert (found.error.kind, found.error.retryable) == ("upstream", True)
    assert len(found.events) == 2


def test_all_chunks_have_the_id_of_the_first():
    other = json.loads(HELLO_CHUNKS[1]) | {"id": "other"}
    found = follow(HELLO_CHUNKS[0], json.dumps(other).encode(), HELLO_CHUNKS[3])
    assert {one["id"] for one in found.chunks} == {"c1"}
