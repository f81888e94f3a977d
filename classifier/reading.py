"""The first step of a prediction: a prompt or conversation becomes its last request, in its context.

Long text is read at head and tail, because that is where people put what they want.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from classifier.courtesy import evenly_spaced, is_courtesy, without_courtesy
from classifier.lexicon import CONTINUATIONS
from classifier.wording import pasted_turns, plain_wording

HEAD_CHARS = 3_000
TAIL_CHARS = 3_000
# Of each message around the request, and of all of them: enough to know what "go on" goes on with.
MESSAGE_HEAD_CHARS = 400
MESSAGE_TAIL_CHARS = 200
CONTEXT_CHARS = 2_400
# Longer than this, a request says something of its own.
_CONTINUATION_WORDS = 8
# How far a cut may move so that it falls between two words.
_SLACK_CHARS = 40

_PUNCTUATION = ".,;:!?…–—-\"'()。，！？、؟।🙂👍"

Prompt = str | Sequence[Mapping[str, Any]] | Mapping[str, Any]


class ReadingError(ValueError):
    """A prompt of a shape that cannot be read; the message says which part of it, and what it should be."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One prompt as the classifier sees it.

    `request` and `context` are windows on the text, valid Unicode, the request in plain wording;
    `request_chars` and `context_chars` count the whole, `unread_chars` what the window on the request leaves
    out. `turns` are the messages around the request, system messages aside.
    """

    request: str
    context: str = ""
    request_chars: int = 0
    context_chars: int = 0
    unread_chars: int = 0
    turns: int = 0
    tools: int = 0
    attachments: int = 0
    has_schema: bool = False


@dataclass(frozen=True, slots=True)
class _Message:
    role: str
    text: str
    attachments: int


def read(prompt: Prompt) -> Reading:
    """Return the reading of a string, a list of OpenAI-style messages, or a mapping that holds one.

    A mapping has `prompt` or `messages`, and may have `tools` and `response_format`.
    Raises ReadingError for any other shape.

    >>> read("Hello?").request
    'Hello?'
    >>> read([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]).context
    'Be brief.'
    """
    if isinstance(prompt, str):
        return _reading(prompt, [])
    if isinstance(prompt, Mapping):
        return _read_mapping(prompt)
    if _is_list(prompt):
        return _read_messages(prompt)
    raise ReadingError(f"prompt: must be a string, a list of messages or an object, not {_kind(prompt)}.")


def window(text: str, head_chars: int = HEAD_CHARS, tail_chars: int = TAIL_CHARS) -> str:
    """Return the text, or its head and tail cut between words; lone surrogates are replaced.

    >>> window("one two three four five six", 8, 9)
    'one two\\nfive six'
    """
    if len(text) > head_chars + tail_chars:
        text = f"{_head(text, head_chars)}\n{_tail(text, tail_chars)}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _reading(request: str, around: Sequence[_Message], **counts: Any) -> Reading:
    """Return the reading of a request in its context; of a pasted conversation the last turn that asks."""
    seen = window(request)
    pasted = pasted_turns(seen)
    asked = _last_asked(pasted)
    before = [_Message("assistant", text, 0) for place, (_, text) in enumerate(pasted) if place != asked]
    said = seen if asked is None else pasted[asked][1]
    return Reading(
        request=plain_wording(without_courtesy(evenly_spaced(said))),
        context=_context(around if asked is None else [*around, *before]),
        request_chars=len(request),
        context_chars=sum(len(message.text) for message in around),
        unread_chars=max(0, len(request) - len(seen)),
        turns=sum(message.role not in ("system", "developer") for message in around),
        **counts,
    )


def _last_asked(turns: Sequence[tuple[bool, str]]) -> int | None:
    """Return the place of the user's last turn that says more than "go on" or "thanks"; None without any."""
    asked = [place for place, (is_user, _) in enumerate(turns) if is_user]
    for place in reversed(asked):
        text = turns[place][1]
        if not goes_on(text) and not is_courtesy(text):
            return place
    return None


def _head(text: str, chars: int) -> str:
    for end in range(chars, chars - min(_SLACK_CHARS, chars // 2), -1):
        if text[end].isspace():
            return text[:end].rstrip()
    return text[:chars]


def _tail(text: str, chars: int) -> str:
    start = len(text) - chars
    for cut in range(start, start + min(_SLACK_CHARS, chars // 2)):
        if text[cut - 1].isspace():
            return text[cut:]
    return text[start:]


def _read_mapping(prompt: Mapping[str, Any]) -> Reading:
    text, messages = prompt.get("prompt"), prompt.get("messages")
    if (text is None) == (messages is None):
        raise ReadingError("messages: give either `messages` (a list) or `prompt` (a string), one of them.")
    tools, response_format = prompt.get("tools"), prompt.get("response_format")
    if tools is not None and not _is_list(tools):
        raise ReadingError(f"tools: must be a list, not {_kind(tools)}.")
    if response_format is not None and not isinstance(response_format, Mapping):
        raise ReadingError(f"response_format: must be an object, not {_kind(response_format)}.")
    if messages is None:
        if not isinstance(text, str):
            raise ReadingError(f"prompt: must be a string, not {_kind(text)}.")
        messages = [{"role": "user", "content": text}]
    if not _is_list(messages):
        raise ReadingError(f"messages: must be a list, not {_kind(messages)}.")
    return _read_messages(messages, tools=len(tools or ()), has_schema=_has_schema(response_format))


def _has_schema(response_format: Mapping[str, Any] | None) -> bool:
    return response_format is not None and response_format.get("type") in ("json_schema", "json_object")


def _read_messages(found: Sequence[Any], *, tools: int = 0, has_schema: bool = False) -> Reading:
    if not found:
        raise ReadingError("messages: is empty. Give at least one message.")
    messages = [_message(message, f"messages[{place}]") for place, message in enumerate(found)]
    asked = _last_request(messages)
    around = [message for place, message in enumerate(messages) if place not in asked]
    request = "\n".join(messages[place].text for place in asked)
    return _reading(
        request,
        around,
        tools=tools,
        attachments=sum(message.attachments for message in messages),
        has_schema=has_schema,
    )


def _last_request(messages: Sequence[_Message]) -> list[int]:
    """Return the places of the last run of user messages; without any, of the last message.

    A request that only says "go on" asks for more of an earlier one, which then stands before it.
    """
    runs = _user_runs([message.role for message in messages])
    if not runs:
        return [len(messages) - 1]
    for run in reversed(runs):
        if not all(goes_on(messages[place].text) for place in run):
            return run if run is runs[-1] else run + runs[-1]
    return runs[-1]


def _user_runs(roles: Sequence[str]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place, role in enumerate(roles):
        if role == "user" and place and roles[place - 1] == "user":
            runs[-1].append(place)
        elif role == "user":
            runs.append([place])
    return runs


def goes_on(text: str) -> bool:
    """Return whether a request says no more than "continue", in any of the languages of the lexicon.

    >>> goes_on("Yes, go on!"), goes_on("thanks!"), goes_on("go on and prove it")
    (True, False, False)
    """
    if len(text) > 20 * _CONTINUATION_WORDS:
        return False
    words = [word.strip(_PUNCTUATION) for word in text.lower().split()]
    said = [word for word in words if word]
    return 0 < len(said) <= _CONTINUATION_WORDS and CONTINUATIONS.issuperset(said)


def _context(around: Sequence[_Message]) -> str:
    """Return head and tail of each message around the request, the newest first to find room."""
    kept: list[str] = []
    room = CONTEXT_CHARS
    for message in reversed(around):
        if room <= 0:
            break
        text = window(message.text, MESSAGE_HEAD_CHARS, MESSAGE_TAIL_CHARS)
        if text:
            kept.append(text)
            room -= len(text)
    return "\n".join(reversed(kept))


def _message(message: Any, path: str) -> _Message:
    if not isinstance(message, Mapping):
        raise ReadingError(f"{path}: must be an object with `role` and `content`, not {_kind(message)}.")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str):
        raise ReadingError(f"{path}.role: must be a string such as 'user', not {_kind(role)}.")
    calls = _calls(message.get("tool_calls"))
    if content is None or isinstance(content, str):
        return _Message(role, "\n".join(filter(None, (content, calls))), 0)
    if not _is_list(content):
        raise ReadingError(f"{path}.content: must be a string or a list of parts, not {_kind(content)}.")
    parts = [_part(part, f"{path}.content[{place}]") for place, part in enumerate(content)]
    texts = [part for part in parts if part is not None]
    return _Message(role, "\n".join([*texts, calls] if calls else texts), len(parts) - len(texts))


def _part(part: Any, path: str) -> str | None:
    """Return a part's text, or None for an attachment: an image, audio, a file, whatever comes next."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise ReadingError(f"{path}: must be an object with a `type`, not {_kind(part)}.")
    text = part.get("text", part.get("refusal"))
    if text is None and part.get("type") != "text":
        return None
    if not isinstance(text, str):
        raise ReadingError(f"{path}.text: must be a string, not {_kind(text)}.")
    return text


def _calls(calls: Any) -> str:
    """Return an assistant's tool calls as text; whatever has no function counts for nothing."""
    if not _is_list(calls):
        return ""
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)]
    named = [function for function in functions if isinstance(function, Mapping)]
    return "\n".join(f"{function.get('name')}({function.get('arguments')})" for function in named)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, bool):
        return "a boolean"
    names = {type(None): "null", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), f"a {type(value).__name__}")
