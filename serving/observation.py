"""What becomes of an observation before it counts: whose decision it is of, who answered, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from serving.charges import answer_cost_usd
from serving.errors import Conflict, InvalidRequest
from serving.records import Outcome
from serving.routing.catalog import Catalog, Deployment
from serving.tables.budgets import Budgets

_ONLY_DECIDED = "/route"


def completed(outcome: Outcome, row: Mapping[str, Any], catalog: Catalog, budgets: Budgets) -> Outcome:
    """Return an observation with who answered and what that cost; `row` is its logged decision.

    Raise Conflict where the decision has its outcome, InvalidRequest where the deployment is not known or a
    budget needs a cost that cannot be told.
    """
    if row["endpoint"] != _ONLY_DECIDED:
        raise Conflict(
            f"decision_id: {outcome.decision_id!r} came in at {row['endpoint']} and was dispatched here, "
            "where its outcome is noted. Observe decisions of /route.",
            param="decision_id",
        )
    if row["outcome"] is not None:
        raise observed_before(outcome.decision_id)
    deployment = _answered_by(outcome, row, catalog)
    cost_usd = outcome.cost_usd
    if cost_usd is None and outcome.status == "ok":
        cost_usd = answer_cost_usd(deployment, outcome.usage)
        _is_told(cost_usd, row["caller"], deployment, budgets)
    (attempt,) = outcome.attempts
    counted = replace(attempt, deployment=deployment.name, charged_usd=cost_usd)
    return msgspec.structs.replace(
        outcome, deployment=deployment.name, cost_usd=cost_usd, attempts=(counted,)
    )


def observed_before(decision_id: str) -> Conflict:
    """Return the error about a second observation of one decision."""
    return Conflict(
        f"decision_id: {decision_id!r} has been observed already. Send one observation per decision.",
        param="decision_id",
    )


def _answered_by(outcome: Outcome, row: Mapping[str, Any], catalog: Catalog) -> Deployment:
    name = outcome.deployment or row["deployment"]
    if name is None:
        raise InvalidRequest("deployment: the decision chose none. Name who answered.", param="deployment")
    if name not in catalog.deployments:
        known = ", ".join(sorted(catalog.deployments))
        raise InvalidRequest(
            f"deployment: {name!r} is not a usable deployment. Known: {known}.", param="deployment"
        )
    return catalog.deployments[name]


def _is_told(cost_usd: float | None, caller: str | None, deployment: Deployment, budgets: Budgets) -> None:
    holding = [row.name for row in budgets.rows if row.holds(caller, deployment.name)]
    if cost_usd is None and holding:
        raise InvalidRequest(
            f"cost_usd: the budget {holding[0]!r} holds for {deployment.name!r}, and what this cost cannot "
            "be told. Send input_tokens and output_tokens, or cost_usd.",
            param="cost_usd",
        )
