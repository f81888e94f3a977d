"""A row of decisions as it would have gone: each one made again, with consequences for those after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from serving.routing.router import Decision, Inputs, decide
from serving.tables.share import TrafficShare

# Conversations whose deployment became another that are remembered, the oldest forgotten first.
_CAPACITY = 100_000


class Course:
    """Makes decisions in their order; what they go by is as it was, but for what other decisions change.

    That is the share of the lowest tier, counted anew over `share_window` decisions from `share_least` on,
    and who has a conversation: where its last turn went elsewhere this time, it goes on from there.
    """

    def __init__(self, *, share_window: int, share_least: int) -> None:
        self._window = share_window
        self._least = share_least
        self._cap: float | None = None
        self._traffic = TrafficShare(cap=1.0, window=share_window, least=share_least)
        self._moved: OrderedDict[str, str] = OrderedDict()

    def decide(self, inputs: Inputs, was: str | None = None) -> Decision:
        """Decide, and take in the decision; `was` is what was chosen when these inputs were logged."""
        if inputs.policy.share_cap != self._cap:
            self._cap = inputs.policy.share_cap
            self._traffic = TrafficShare(cap=self._cap, window=self._window, least=self._least)
        snapshot = replace(inputs.snapshot, traffic=self._traffic.freeze())
        decision = decide(*self._going_on(inputs)._replace(snapshot=snapshot))
        self._traffic.decided(decision)
        chosen = decision.chosen
        if chosen is not None and chosen.deployment != was:
            self._moved[inputs.request.decision_id] = chosen.deployment
            if len(self._moved) > _CAPACITY:
                self._moved.popitem(last=False)
        return decision

    def warm_up(self, given: Iterable[Inputs]) -> None:
        """Count decisions as if they had gone before, so that the share is not counted from nothing."""
        for inputs in given:
            self.decide(inputs)
        self._moved.clear()

    def _going_on(self, inputs: Inputs) -> Inputs:
        turn = inputs.request.last_turn
        moved = self._moved.get(turn.decision_id) if turn is not None else None
        if turn is None or moved is None or moved not in inputs.catalog.deployments:
            return inputs
        return inputs._replace(request=replace(inputs.request, last_turn=replace(turn, deployment=moved)))
