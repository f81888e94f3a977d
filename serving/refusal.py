"""How a request is refused that nothing may serve: every deployment's reason, and whether waiting helps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from serving.errors import (
    BudgetSpent,
    BudgetUnknown,
    NoEligibleDeployment,
    NoHealthyDeployment,
    WeighbridgeError,
)
from serving.routing.headroom import Headroom, told_usd
from serving.routing.router import Decision
from serving.settings.vocabulary import SEVERAL_ANSWERS

# On every answer that a decision led to, refusals and failures included, so that it can be found in the log.
DECISION_ID_HEADER = "x-weighbridge-decision-id"

# The field of a request that a rejection is about, told where it alone stands in the way.
_FIELD_OF = {
    "compliance": "compliance",
    "capability": "capabilities",
    "context_window": "messages",
    "output_limit": "max_output_tokens",
    "cost": "max_cost_usd",
    "latency": "max_latency_ms",
    "first_token": "max_first_token_ms",
    "tier": "minimum_tier",
    "denied": "deny",
    "not_allowed": "allow",
    "not_pinned": "pin",
    "quality_floor": "quality_floor",
}
_NOT_MEANT = frozenset({"not_requested", "by_name_only"})


def refusal(decision: Decision, now_s: float) -> WeighbridgeError:
    """Return the error for a decision without a choice; `now_s` is the Unix time.

    Where something that passes stands in the way of a deployment, waiting may help: its health first, then a
    budget that nobody can read, then one that is spent.
    """
    reasons = [
        {"deployment": row.deployment, "code": row.code, "reason": row.reason} for row in decision.rejected
    ]
    told = "; ".join(f"{row.deployment}: {row.reason}" for row in decision.rejected)
    codes = {row.code for row in decision.rejected} - _NOT_MEANT
    found: WeighbridgeError
    if "unavailable" in codes:
        found = NoHealthyDeployment(
            f"No deployment that may serve this request is up. {told}", detail=reasons
        )
    elif "budget_unknown" in codes:
        found = BudgetUnknown(f"What a budget has left cannot be read, so nothing is spent. {told}")
        found.detail = reasons
    elif "budget" in codes:
        names = [row.deployment for row in decision.rejected if row.code == "budget"]
        found = _spent(names, decision.request.headroom, told, now_s)
        found.detail = reasons
    else:
        field = _FIELD_OF.get(min(codes)) if len(codes) == 1 else None
        if field == "capabilities" and decision.request.limits.capabilities == {SEVERAL_ANSWERS}:
            field = "n"
        message = f"No deployment may serve this request. {told or 'The catalog is empty.'}"
        found = NoEligibleDeployment(message, param=field, detail=reasons)
    found.headers[DECISION_ID_HEADER] = decision.request.decision_id
    return found


def spent_meanwhile(
    decision: Decision, headroom: Sequence[Headroom], code: str, now_s: float
) -> WeighbridgeError:
    """Return the error where other requests have taken what the ranking counted on; `headroom` is of now."""
    names = [row.deployment for row in decision.ranking]
    found: WeighbridgeError = (
        BudgetUnknown("What a budget has left cannot be read, so nothing is spent. Try again later.")
        if code == "budget_unknown"
        else _spent(names, headroom, "Other requests have set it aside meanwhile.", now_s)
    )
    found.headers[DECISION_ID_HEADER] = decision.request.decision_id
    return found


def _spent(names: Sequence[str], headroom: Sequence[Headroom], told: str, now_s: float) -> BudgetSpent:
    """Name the budgets with the least left for these deployments, and when the first of them renews."""
    least: dict[str, Headroom] = {}
    for name in names:
        purse = min(
            (purse for purse in headroom if purse.holds_for(name)), key=lambda purse: purse.left_nanousd or 0
        )
        least[purse.budget] = purse
    spent = " and ".join(
        f"{purse.told} has {told_usd(purse.left_nanousd or 0)} left until {purse.renews}"
        for purse in least.values()
    )
    found = BudgetSpent(
        f"The {spent}, which may not pay for the answer. "
        f"Allow fewer output tokens, wait, or raise the budget. {told}"
    )
    renews_at = min(purse.renews_at for purse in least.values())
    found.headers["retry-after"] = str(max(math.ceil(renews_at - now_s), 1))
    # OpenAI's and Anthropic's SDKs would ask again within seconds
    found.headers["x-should-retry"] = "false"
    return found
