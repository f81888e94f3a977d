"""Sends the probes and the tasks to one deployment, and says what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from serving.dispatch.adapter import Adapter, ProviderError
from serving.dispatch.completion import Call
from serving.dispatch.sse import EventSplitter
from serving.routing.catalog import Deployment
from serving.settings.matrix import Finding, Verified, address
from serving.verify.probes import Message, Probe, probes
from serving.verify.tasks import Task

# A refusal of the request itself says that the deployment cannot do it; anything else says nothing.
_CANNOT = frozenset({"invalid_request", "context_length"})


async def verify(
    row: Deployment, adapter: Adapter, tasks: Sequence[Task], *, long_context_tokens: int
) -> Verified:
    """Probe one deployment, one request after another, and return what was found."""
    findings = {probe.name: await _finding(row, adapter, probe) for probe in probes(long_context_tokens)}
    passed = [await _passes(row, adapter, task) for task in tasks]
    return Verified(
        address=address(row.adapter, row.base_url, row.model),
        verified_at=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=findings,
        long_context_tokens=long_context_tokens,
        tasks_passed=sum(passed) if tasks else None,
        tasks=len(tasks) or None,
    )


async def _finding(row: Deployment, adapter: Adapter, probe: Probe) -> Finding:
    body = {"model": row.model} | probe.body
    try:
        if probe.stream:
            message, answers = await _streamed(row, adapter, body), 1
        else:
            message, answers = await _whole(row, adapter, body)
    except ProviderError as error:
        works = False if error.kind in _CANNOT else None
        return Finding(works, f"{error.kind}: {error.message}")
    wrong = probe.complaint(message)
    if wrong is None and answers < probe.answers:
        wrong = f"expected {probe.answers} answers, there are {answers}"
    return Finding(wrong is None, wrong or "")


async def _passes(row: Deployment, adapter: Adapter, task: Task) -> bool:
    try:
        message, _ = await _whole(row, adapter, {"model": row.model, "messages": task.messages})
    except ProviderError:
        return False
    return task.expect.search(str(message.get("content") or "")) is not None


async def _whole(row: Deployment, adapter: Adapter, body: dict[str, Any]) -> tuple[Message, int]:
    """Return the first of the answers, and how many there are."""
    answer = await adapter.complete(row, Call(body, stream=False))
    found = msgspec.json.decode(answer.body)
    choices = found.get("choices") if isinstance(found, dict) else None
    return _message(found, "message"), len(choices) if isinstance(choices, list) else 0


async def _streamed(row: Deployment, adapter: Adapter, body: dict[str, Any]) -> Message:
    stream = await adapter.stream(row, Call(body | {"stream": True}, stream=True))
    splitter = EventSplitter()
    pieces: list[str] = []
    try:
        async for events in stream:
            pieces += [_text(data) for data in splitter.feed(events) if data != b"[DONE]"]
    finally:
        await stream.close()
    if len(list(filter(None, pieces))) < 2:
        raise ProviderError("invalid_request", "The stream came in one piece.", retryable=False)
    return {"content": "".join(pieces)}


def _text(chunk: bytes) -> str:
    return str(_message(msgspec.json.decode(chunk), "delta").get("content") or "")


def _message(found: Any, field: str) -> Message:
    choices = found.get("choices") if isinstance(found, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get(field) if isinstance(first, dict) else None
    return message if isinstance(message, dict) else {}
