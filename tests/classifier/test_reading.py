from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.reading import (
    CONTEXT_CHARS,
    HEAD_CHARS,
    MESSAGE_HEAD_CHARS,
    MESSAGE_TAIL_CHARS,
    TAIL_CHARS,
    Reading,
    ReadingError,
    goes_on,
    read,
    window,
)

any_text = st.text(st.characters(exclude_categories=()))


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


@given(any_text)
def test_a_string_a_message_and_an_object_read_the_same(text):
    assert read(text) == read([user(text)]) == read({"prompt": text}) == read({"messages": [user(text)]})


@given(any_text)
def test_whatever_is_read_is_valid_unicode(text):
    found = read([{"role": "system", "content": text}, user(text)])
    found.request.encode()
    found.context.encode()


def test_the_last_request_is_weighed_and_what_came_before_is_its_context():
    found = read([user("Plan my week."), assistant("Done."), user("Now as a table.")])
    assert found.request == "Now as a table."
    assert found.context == "Plan my week.\nDone."
    assert found.turns == 2


def test_user_messages_in_a_row_are_one_request():
    found = read([assistant("Hello!"), user("Here is my code."), user("Why does it crash?")])
    assert found.request == "Here is my code.\nWhy does it crash?"


def test_what_follows_the_last_request_is_context():
    call = {"id": "1", "type": "function", "function": {"name": "get_order", "arguments": '{"id": 7}'}}
    found = read(
        [user("Where is my order?"), assistant(None, tool_calls=[call]), {"role": "tool", "content": "sent"}]
    )
    assert found.request == "Where is my order?"
    assert found.context == 'get_order({"id": 7})\nsent'


def test_without_a_user_the_last_message_is_the_request():
    found = read(
        [{"role": "system", "content": "Be kind."}, {"role": "developer", "content": "List the rivers."}]
    )
    assert (found.request, found.context) == ("List the rivers.", "Be kind.")


@pytest.mark.parametrize(
    "last", ["yes, go on", "Weiter bitte!", "continue", "继续", "да, продолжай", "ok next"]
)
def test_go_on_asks_for_more_of_what_was_asked_before(last):
    found = read(
        [user("Prove the theorem."), assistant("Step 1 …"), user("ok"), assistant("Step 2 …"), user(last)]
    )
    assert found.request == f"Prove the theorem.\n{last}"
    assert "Prove" not in found.context


@pytest.mark.parametrize("last", ["thanks, go on holiday", "go on and prove it", "five more", "", "?!"])
def test_a_request_that_says_anything_of_its_own_stands_alone(last):
    assert not goes_on(last)
    assert read([user("Prove the theorem."), assistant("Step 1"), user(last)]).request == last


def test_parts_of_text_are_joined_and_the_rest_is_counted():
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "this?"},
    ]
    found = read([user([*parts, {"type": "from_the_future"}])])
    assert (found.request, found.attachments) == ("What is this?", 2)


def test_tools_and_a_schema_are_counted():
    found = read({"messages": [user("hi")], "tools": [{}, {}], "response_format": {"type": "json_schema"}})
    assert (found.tools, found.has_schema) == (2, True)
    assert not read({"messages": [user("hi")], "tools": None, "response_format": {"type": "text"}}).has_schema


def test_a_long_request_keeps_its_head_and_its_tail():
    text = "first " + "middle " * 10_000 + "last"
    found = read(text)
    assert found.request.startswith("first") and found.request.endswith("last")
    assert len(found.request) <= HEAD_CHARS + TAIL_CHARS + 1
    assert found.request_chars == len(text)


def test_a_cut_falls_between_words_and_also_works_without_any():
    assert window("one two three four five six", 8, 9) == "one two\nfive six"
    assert window("x" * 100, 10, 10) == "x" * 10 + "\n" + "x" * 10


@given(any_text, st.integers(0, 30), st.integers(0, 30))
def test_a_window_is_never_longer_than_it_may_be(text, head, tail):
    assert len(window(text, head, tail)) <= max(head + tail + 1, 0)


def test_a_thousand_turns_leave_a_bounded_context_of_the_newest():
    turns = [
        message
        for turn in range(1_000)
        for message in (user(f"question {turn} " * 50), assistant("yes " * 500))
    ]
    found = read([*turns, user("What else is there?")])
    assert len(found.context) <= CONTEXT_CHARS + MESSAGE_HEAD_CHARS + MESSAGE_TAIL_CHARS + 10
    assert "question 999" in found.context and "question 1 " not in found.context
    assert found.context_chars > 1_000_000


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (7, "prompt: must be a string, a list of messages or an object, not a number"),
        (b"bytes", "prompt"),
        ([], "messages: is empty"),
        ({}, "give either `messages`"),
        ({"prompt": "a", "messages": [user("b")]}, "one of them"),
        ({"prompt": ["a"]}, "prompt: must be a string, not a list"),
        ({"messages": "hi"}, "messages: must be a list, not a string"),
        ({"messages": [user("hi")], "tools": 3}, "tools: must be a list, not a number"),
        ({"messages": [user("hi")], "response_format": "json"}, "response_format: must be an object"),
        (["hi"], r"messages\[0\]: must be an object with `role`"),
        ([{"content": "hi"}], r"messages\[0\].role: must be a string such as 'user', not null"),
        (
            [user("ok"), user(True)],
            r"messages\[1\].content: must be a string or a list of parts, not a boolean",
        ),
        ([user([1])], r"messages\[0\].content\[0\]: must be an object"),
        ([user([{"type": "text"}])], r"messages\[0\].content\[0\].text: must be a string, not null"),
        ([user([{"type": "text", "text": 5}])], r"content\[0\].text: must be a string, not a number"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_place(prompt, said):
    with pytest.raises(ReadingError, match=said):
        read(prompt)


def test_odd_but_valid_messages_are_read():
    odd = [{"role": "user"}, user(None), user([]), user(["plain"]), assistant(None, tool_calls=[None, {}, 3])]
    assert read(odd) == Reading(request="plain", request_chars=8, turns=1)
