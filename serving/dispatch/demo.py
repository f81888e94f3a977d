"""Deployments that need nobody: honest canned answers in OpenAI's wire format, at realistic speed."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import msgspec

from serving.dispatch.adapter import ProviderError
from serving.dispatch.completion import Call, Stream, Whole
from serving.dispatch.schema_example import NoExample, example
from serving.dispatch.sse import event
from serving.records import Usage
from serving.routing.catalog import Deployment
from serving.routing.tokens import estimate_tokens

Sleep = Callable[[float], Awaitable[None]]

_FIRST_TOKEN_MS = 300.0
_TOKENS_PER_SECOND = 80.0
_ECHO_CHARS = 80
_TOKENS_PER_CHUNK = 4
# A word with the space before it, long ones in parts: about how a tokenizer cuts, and nothing is lost.
_PIECES = re.compile(r"\s?\S{1,12}|\s")


class Demo:
    """Answers as the deployment it is asked to be; `speed` 10 means ten times as fast."""

    def __init__(
        self, *, speed: float = 1.0, sleep: Sleep = asyncio.sleep, clock: Callable[[], float] = time.time
    ) -> None:
        self._speed = speed
        self._sleep = sleep
        self._clock = clock

    async def complete(self, deployment: Deployment, call: Call) -> Whole:
        """Return the whole answer after the time its tokens would take."""
        answer = _Written(deployment, call, int(self._clock()))
        await self.wait(_first_token_s(deployment) + answer.output_tokens * _token_s(deployment))
        return Whole(msgspec.json.encode(answer.whole()), answer.usage)

    async def stream(self, deployment: Deployment, call: Call) -> Stream:
        """Return the answer as a stream of chunks."""
        answer = _Written(deployment, call, int(self._clock()))
        return _DemoStream(answer, deployment, call.wants_usage, self.wait)

    async def close(self) -> None:
        """Nothing is open."""

    async def wait(self, seconds: float) -> None:
        """Let the deployment's time pass, at the demo's speed."""
        await self._sleep(seconds / self._speed)


class _DemoStream:
    def __init__(
        self,
        answer: _Written,
        deployment: Deployment,
        wants_usage: bool,
        wait: Callable[[float], Awaitable[None]],
    ) -> None:
        self.usage = Usage()
        self._answer = answer
        self._deployment = deployment
        self._wants_usage = wants_usage
        self._wait = wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._wait(_first_token_s(self._deployment))
        for chunk in self._answer.chunks():
            yield event(msgspec.json.encode(chunk))
            await self._wait(_TOKENS_PER_CHUNK * _token_s(self._deployment))
        self.usage = self._answer.usage
        if self._wants_usage:
            yield event(msgspec.json.encode(self._answer.usage_chunk()))
        yield event(b"[DONE]")

    async def close(self) -> None:
        """Nothing is open."""


class _Written:
    """One answer, written at once from the request: the same request gives the same words."""

    def __init__(self, deployment: Deployment, call: Call, created: int) -> None:
        if (call.body.get("n") or 1) != 1:
            raise _refused("n: a demo deployment gives one answer. Leave n out.", "n")
        self._deployment = deployment
        self._created = created
        digest = hashlib.sha256(msgspec.json.encode([deployment.name, call.body])).hexdigest()
        self._id = f"chatcmpl-demo-{digest[:24]}"
        words, self._finish = _fitted(_text(deployment, call.body), call.body)
        self._words = words
        self.output_tokens = max(len(words), 1)
        self.usage = Usage(_input_tokens(call.body), self.output_tokens, 0)

    def whole(self) -> dict[str, Any]:
        """Return the answer as one object."""
        message = {"role": "assistant", "content": "".join(self._words), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._finish}
        return self._envelope("chat.completion", [choice]) | {"usage": self._usage_object()}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """Yield the role, the words in pieces, and the end."""
        yield self._chunk({"role": "assistant", "content": ""}, None)
        for start in range(0, len(self._words), _TOKENS_PER_CHUNK):
            piece = "".join(self._words[start : start + _TOKENS_PER_CHUNK])
            yield self._chunk({"content": piece}, None)
        yield self._chunk({}, self._finish)

    def usage_chunk(self) -> dict[str, Any]:
        """Return the last chunk of a stream whose caller wants to know what was used."""
        return self._envelope("chat.completion.chunk", []) | {"usage": self._usage_object()}

    def _chunk(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._envelope("chat.completion.chunk", [choice])

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._deployment.model,
            "choices": choices,
            "system_fingerprint": "demo",
        }

    def _usage_object(self) -> dict[str, int]:
        inputs, outputs = self.usage.input_tokens or 0, self.usage.output_tokens or 0
        return {"prompt_tokens": inputs, "completion_tokens": outputs, "total_tokens": inputs + outputs}


def _first_token_s(deployment: Deployment) -> float:
    return (deployment.first_token_ms or _FIRST_TOKEN_MS) / 1000.0


def _token_s(deployment: Deployment) -> float:
    return 1.0 / (deployment.output_tokens_per_second or _TOKENS_PER_SECOND)


def _text(deployment: Deployment, body: dict[str, Any]) -> str:
    asked = " ".join(_last_user_text(body).split())
    echo = asked[:_ECHO_CHARS] + ("…" if len(asked) > _ECHO_CHARS else "")
    wanted = (body.get("response_format") or {}).get("type")
    if wanted == "json_object":
        answer = {"demo": True, "deployment": deployment.name, "tier": deployment.tier, "asked": echo}
        return msgspec.json.encode(answer).decode()
    if wanted == "json_schema":
        return msgspec.json.encode(_by_schema(body["response_format"])).decode()
    tools = " It has no tools." if body.get("tools") else ""
    return (
        f"This is {deployment.name}, a demo deployment of the {deployment.tier} tier: it answers in the "
        f"right format, at the right speed, and knows nothing.{tools} You asked: {echo!r}. "
        "Set a provider's key to get real answers."
    )


def _by_schema(response_format: dict[str, Any]) -> Any:
    described = response_format.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    try:
        return example(schema)
    except NoExample as reason:
        raise _refused(
            f"response_format.json_schema.schema: a demo deployment cannot answer by this schema: {reason} "
            "Set a provider's key to get real answers.",
            "response_format",
        ) from None


def _refused(message: str, param: str) -> ProviderError:
    return ProviderError("invalid_request", message, status=400, retryable=False, body={"param": param})


def _fitted(text: str, body: dict[str, Any]) -> tuple[list[str], str]:
    """Return the words that stop sequences and the token limit leave, and the finish reason."""
    stop = body.get("stop") or ()
    for sequence in [stop] if isinstance(stop, str) else stop:
        if isinstance(sequence, str) and sequence:
            text = text.split(sequence, 1)[0]
    words = _PIECES.findall(text)
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(limit, int) and len(words) > limit:
        return words[:limit], "length"
    return words, "stop"


def _last_user_text(body: dict[str, Any]) -> str:
    for message in reversed(body.get("messages") or []):
        if message.get("role") == "user":
            return _content_text(message.get("content"))
    return ""


def _input_tokens(body: dict[str, Any]) -> int:
    """Estimate the prompt's tokens; an answer's tokens are its words."""
    return sum(estimate_tokens(_content_text(row.get("content"))) + 4 for row in body.get("messages") or [])


def _content_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))
