"""What a service remembers of its last decisions: who answers a conversation, and how long answers are."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from serving.records import Outcome
from serving.routing.request import Turn
from serving.tables.lengths import OutputLengths

# Conversations and unfinished decisions that are remembered at most, the oldest forgotten first.
_CAPACITY = 20_000

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Turn:
    deployment: str
    input_tokens: int
    decision_id: str
    at_s: float


@dataclass(frozen=True, slots=True)
class _Open:
    kind: str
    conversation: str
    input_tokens: int


class Recent:
    """Turns of conversations by key, and lengths of answers by kind of prompt; nothing of any text.

    A turn counts for `conversation_s`; its prompt is taken to be warm in the provider's cache for `cache_s`.
    Not thread-safe: it lives on the event loop of one worker.
    """

    def __init__(
        self,
        lengths: OutputLengths,
        *,
        conversation_s: float = 3_600.0,
        cache_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lengths = lengths
        self._conversation_s = conversation_s
        self._cache_s = cache_s
        self._clock = clock
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def last_turn(self, conversation: str) -> Turn | None:
        """Return who answered the last turn, and how much of it is warm; None where that is long ago."""
        turn = self._turns.get(conversation)
        if turn is None:
            return None
        age_s = self._clock() - turn.at_s
        if age_s > self._conversation_s:
            return None
        return Turn(turn.deployment, turn.input_tokens if age_s <= self._cache_s else 0, turn.decision_id)

    def decided(self, decision_id: str, kind: str, conversation: str, deployment: str, tokens: int) -> None:
        """Take in who is to answer a prompt of so many tokens; `finished` says who did."""
        _put(self._open, decision_id, _Open(kind, conversation, tokens))
        self._remember(conversation, deployment, tokens, decision_id)

    def finished(self, outcome: Outcome) -> None:
        """Take in an answer: its deployment is the conversation's from now on, its length is learned."""
        opened = self._open.pop(outcome.decision_id, None)
        if opened is None or outcome.status != "ok" or outcome.deployment is None:
            return
        if outcome.usage.output_tokens is not None:
            self.lengths.observe(opened.kind, outcome.usage.output_tokens)
        self._remember(opened.conversation, outcome.deployment, opened.input_tokens, outcome.decision_id)

    def _remember(self, conversation: str, deployment: str, tokens: int, decision_id: str) -> None:
        if conversation:
            _put(self._turns, conversation, _Turn(deployment, tokens, decision_id, self._clock()))


def _put(rows: OrderedDict[str, Value], key: str, value: Value) -> None:
    rows[key] = value
    rows.move_to_end(key)
    if len(rows) > _CAPACITY:
        rows.popitem(last=False)
