"""Bodies that work, to be spoiled by the tests."""

from __future__ import annotations

from typing import Any

HELLO = [{"role": "user", "content": "Say hello to the new colleague."}]


def route_body(**fields: Any) -> dict[str, Any]:
    return {"prompt": "What are your opening hours?"} | fields


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": HELLO} | fields


def feedback_body(**fields: Any) -> dict[str, Any]:
    return {"decision_id": "dec_0", "score": 0.5} | fields


def observation_body(**fields: Any) -> dict[str, Any]:
    return {"decision_id": "dec_0", "latency_ms": 900.0} | fields
