"""Reads Gemini's answers (ai.google.dev/api/generate-content); a streamed chunk looks like a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.native import Answer, not_an_answer
from serving.dispatch.openai_answer import Choice, Piece, ToolCall
from serving.dispatch.openai_wire import count
from serving.dispatch.signatures import Signatures
from serving.records import Usage

# ai.google.dev/api/generate-content#finishreason
_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length"} | dict.fromkeys(
    ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
     "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION", "MODEL_ARMOR"),
    "content_filter",
)  # fmt: skip
# Endings without an answer, which are nobody's wish: another deployment may do better.
_FAILED = frozenset(
    {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
     "MALFORMED_RESPONSE", "PUP_LIMITED_DISABLED"}
)  # fmt: skip


def answer(found: dict[str, Any], signatures: Signatures) -> Answer:
    """Return what a whole answer says; raise ProviderError where the prompt was blocked, or nothing said."""
    reader = StreamReader(1, signatures)
    choices: dict[int, Choice] = {}
    for piece in reader.read(found):
        _take(piece, choices.setdefault(piece.choice, Choice(piece.choice)))
    if not choices:
        raise not_an_answer()
    return Answer(reader.id, [choices[index] for index in sorted(choices)], reader.usage)


def _take(piece: Piece, choice: Choice) -> None:
    choice.text += piece.text
    choice.reasoning += piece.reasoning
    choice.finish = piece.finish or choice.finish
    choice.logprobs = piece.logprobs or choice.logprobs
    if piece.call_name is not None:
        choice.calls.append(ToolCall(piece.call_name, piece.arguments, piece.call_id or "", piece.extra))
    else:
        choice.extra |= piece.extra


class StreamReader:
    """Reads the chunks of one stream of `answers` candidates."""

    def __init__(self, answers: int, signatures: Signatures) -> None:
        self.usage = Usage()
        self.id = ""
        self.ended = False
        self.complete = False
        self._answers = answers
        self._signatures = signatures
        self._finished: set[int] = set()
        self._calls: dict[int, int] = {}

    def read(self, event: dict[str, Any]) -> Iterator[Piece]:
        """Yield what a chunk adds; raise ProviderError where it says that there will be no answer."""
        self.id = self.id or str(event.get("responseId") or "")
        if isinstance(event.get("usageMetadata"), dict):
            self.usage = usage(event["usageMetadata"])
        feedback = event.get("promptFeedback")
        if isinstance(feedback, dict) and feedback.get("blockReason"):
            raise ProviderError(
                "content_filter", f"The prompt was blocked: {feedback['blockReason']}.",
                status=400, retryable=False,
            )  # fmt: skip
        for candidate in event.get("candidates") or ():
            yield from self._candidate(candidate)
        self.complete = len(self._finished) >= self._answers
        # what was used comes with the last piece
        self.ended = self.complete and "usageMetadata" in event

    def _candidate(self, candidate: dict[str, Any]) -> Iterator[Piece]:
        index = candidate.get("index") or 0
        for part in (candidate.get("content") or {}).get("parts") or ():
            yield from self._part(index, part)
        found = _logprobs(candidate.get("logprobsResult"))
        if found is not None:
            yield Piece(index, logprobs=found)
        reason = candidate.get("finishReason")
        if reason is None:
            return
        if reason in _FAILED:
            told = candidate.get("finishMessage") or f"The provider gave up: {reason}."
            raise ProviderError("upstream", str(told), status=502, retryable=True)
        self._finished.add(index)
        finish = _FINISH.get(reason, "stop")
        yield Piece(index, finish="tool_calls" if finish == "stop" and self._calls.get(index) else finish)

    def _part(self, index: int, part: dict[str, Any]) -> Iterator[Piece]:
        signature = part.get("thoughtSignature")
        # where Google's own OpenAI endpoint puts it: ai.google.dev/gemini-api/docs/thought-signatures
        extra = {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}
        if "functionCall" in part:
            yield self._call(index, part["functionCall"], signature, extra)
        elif part.get("text") and part.get("thought"):
            yield Piece(index, reasoning=str(part["text"]))
        elif part.get("text") or extra:
            yield Piece(index, text=str(part.get("text") or ""), extra=extra)

    def _call(self, index: int, call: dict[str, Any], signature: Any, extra: dict[str, Any]) -> Piece:
        """Return a call, which comes whole; most models give it no id, so that it gets one here."""
        place = self._calls.get(index, 0)
        self._calls[index] = place + 1
        name = str(call.get("name") or "")
        whole = ToolCall(
            name, msgspec.json.encode(call.get("args") or {}).decode(), str(call.get("id") or "")
        )
        if signature:
            self._signatures.keep(whole.id, signature, len(signature))
        return Piece(
            index, call=place, call_id=whole.id, call_name=name, arguments=whole.arguments, extra=extra
        )


def usage(found: dict[str, Any]) -> Usage:
    """Return what was counted: Gemini counts thoughts apart from candidates, and cached tokens in the prompt.

    >>> usage({"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 40}).output_tokens
    42
    """
    prompt, tools = count(found.get("promptTokenCount")), count(found.get("toolUsePromptTokenCount"))
    said, thought = count(found.get("candidatesTokenCount")), count(found.get("thoughtsTokenCount"))
    return Usage(
        None if prompt is None else prompt + (tools or 0),
        (said or 0) + (thought or 0) if prompt is not None else None,
        count(found.get("cachedContentTokenCount")),
        None,
        thought,
    )


def _logprobs(found: Any) -> dict[str, Any] | None:
    """Return probabilities in OpenAI's shape (ai.google.dev/api/generate-content#LogprobsResult)."""
    if not isinstance(found, dict) or not found.get("chosenCandidates"):
        return None
    tops = [row.get("candidates") or () for row in found.get("topCandidates") or ()]
    rows = [
        _probable(chosen)
        | {"top_logprobs": [_probable(top) for top in (tops[place] if place < len(tops) else ())]}
        for place, chosen in enumerate(found["chosenCandidates"])
    ]
    return {"content": rows, "refusal": None}


def _probable(found: dict[str, Any]) -> dict[str, Any]:
    token = str(found.get("token") or "")
    return {"token": token, "logprob": found.get("logProbability"), "bytes": list(token.encode())}
