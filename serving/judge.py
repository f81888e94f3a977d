"""Grades a share of the answers in the background: a deployment, a rubric, a budget of its own.

The judge is a caller like any other. Its questions are weighed, held against the limits of the request whose
answer is graded (clearances, allowed and denied deployments), set aside in its budget, dispatched and logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from serving.answer import Answer
from serving.dispatch.completion import Call
from serving.errors import WeighbridgeError
from serving.grading import (
    Exhibit,
    UnreadableVerdict,
    exhibit,
    instructions,
    text_of_stream,
    text_of_whole,
    verdict,
)
from serving.records import Feedback
from serving.routing.request import Caller, Limits
from serving.routing.tokens import REFERENCE_FAMILY, count_tokens
from serving.settings.vocabulary import JUDGE
from serving.weigher import Weighing

_log = logging.getLogger(__name__)

ENDPOINT = "judge"

_VERDICT_TOKENS = 300

Ask = Callable[[Weighing, Call], Awaitable[Answer]]
Store = Callable[[Feedback, str | None], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """Which deployment grades which `share` (0–1) of the answers by which rubric.

    At most `queue_size` answers wait, of each at most `most_chars` of the prompt and of the answer are shown.
    """

    deployment: str
    share: float
    rubric: str
    queue_size: int = 100
    most_chars: int = 8_000


class _Case(NamedTuple):
    decision_id: str
    caller: str | None
    limits: Limits
    shown: Exhibit


class Judge:
    """Hears of every answer, grades some of them; nobody waits for it.

    `ask` dispatches a question, `store` takes feedback, `count` is told what became of each case.
    """

    def __init__(self, config: JudgeConfig, *, ask: Ask, store: Store, count: Callable[[str], None]) -> None:
        self._config = config
        self._ask = ask
        self._store = store
        self._count = count
        self._cases: asyncio.Queue[_Case] = asyncio.Queue(config.queue_size)
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start grading."""
        self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Stop grading; what waits is left ungraded."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait({self._working})

    def heard(self, weighing: Weighing, call: Call, answer: Answer) -> None:
        """Take in that an answer is on its way; a whole one is there, a stream is listened to."""
        if not self._is_drawn(weighing, call, answer):
            return
        offer = partial(self._offer, weighing, answer)
        if answer.whole is not None:
            offer(text_of_whole(answer.whole.body))
        else:
            answer.listener = lambda events: offer(text_of_stream(events))

    def _is_drawn(self, weighing: Weighing, call: Call, answer: Answer) -> bool:
        # nobody is a judge in their own cause
        if weighing.endpoint == ENDPOINT or call.embeds or answer.deployment == self._config.deployment:
            return False
        decision_id = answer.decided.decision.request.decision_id
        digest = hashlib.blake2b(decision_id.encode(), digest_size=8, person=b"judge").digest()
        return int.from_bytes(digest) < self._config.share * 2**64

    def _offer(self, weighing: Weighing, answer: Answer, text: str) -> None:
        shown = exhibit(weighing.prompt["messages"], text, self._config.most_chars)
        if shown is None:
            self._count("not_text")
            return
        request = answer.decided.decision.request
        limits = Limits(
            compliance=request.limits.compliance, allow=request.limits.allow, deny=request.limits.deny
        )
        try:
            self._cases.put_nowait(_Case(request.decision_id, request.caller, limits, shown))
        except asyncio.QueueFull:
            self._count("queue_full")

    async def _work(self) -> None:
        while True:
            case = await self._cases.get()
            try:
                self._count(await self._grade(case))
            except Exception as error:
                # a fault with one answer must not end the grading of the others
                _log.error("An answer was not graded (%s).", type(error).__name__)
                self._count("failed")

    async def _grade(self, case: _Case) -> str:
        """Ask for a verdict and store it; return what became of the case."""
        messages = instructions(self._config.rubric, case.shown, secrets.token_hex(6))
        text = "\n".join(message["content"] for message in messages)
        tokens = count_tokens(text, framing=4 * len(messages))
        weighing = Weighing(
            endpoint=ENDPOINT,
            model=self._config.deployment,
            prompt={"messages": messages},
            input_tokens=tokens[REFERENCE_FAMILY].expected,
            tokens=tokens,
            output_tokens=_VERDICT_TOKENS,
            limits=case.limits,
            caller=Caller(JUDGE),
            text=text,
            shape="grade",
        )
        body = {
            "model": self._config.deployment,
            "messages": messages,
            "max_tokens": _VERDICT_TOKENS,
            "temperature": 0,
        }
        try:
            answer = await self._ask(weighing, Call(body, stream=False))
        except WeighbridgeError as error:
            return error.code or "failed"
        try:
            found = verdict(text_of_whole(answer.whole.body if answer.whole else b""))
        except UnreadableVerdict as problem:
            _log.warning("What the judge said of an answer %s.", problem)
            return "unreadable"
        given = Feedback(
            feedback_id="judge",
            decision_id=case.decision_id,
            created_at=time.time(),
            source="judge",
            score=found.score,
            label=found.label,
            comment=f"by {answer.deployment}",
        )
        await self._store(given, case.caller)
        return "graded"
