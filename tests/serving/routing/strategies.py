"""Random catalogs, requests, predictions and snapshots for the property tests of the decision."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from serving.records import Prediction
from serving.routing.catalog import Catalog, Deployment
from serving.routing.policy import Policy
from serving.routing.request import Limits, RoutingRequest, Turn
from serving.routing.snapshot import DeploymentState, Snapshot, Traffic
from serving.routing.tokens import TokenCount

TIERS = ("economy", "standard", "premium")
TAGS = ("gdpr", "hipaa", "soc2", "eu")
CAPABILITIES = ("tools", "vision", "json_schema", "embeddings")

shares = st.floats(0, 1, allow_nan=False)
prices = st.none() | st.floats(0, 100, allow_nan=False)


@st.composite
def deployments(draw: st.DrawFn, name: str) -> Deployment:
    return Deployment(
        name=name,
        model=draw(st.sampled_from(["m1", "m2"])),
        adapter="demo",
        tier=draw(st.sampled_from(TIERS)),
        quality={tier: draw(shares) for tier in TIERS},
        usd_per_million_input=draw(prices),
        usd_per_million_output=draw(prices),
        usd_per_million_cached_read=draw(prices),
        context_window_tokens=draw(st.none() | st.integers(1, 200_000)),
        max_output_tokens=draw(st.none() | st.integers(1, 50_000)),
        capabilities=draw(st.frozensets(st.sampled_from(CAPABILITIES))),
        compliance=draw(st.frozensets(st.sampled_from(TAGS))),
        tokenizer=draw(st.sampled_from(["o200k", "llama3", "unknown"])),
        sunset=draw(st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1))),
        by_name_only=draw(st.none() | st.just("by name only")),
        lacks=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"stop"})])),
    )


names = st.sampled_from([f"d{place}" for place in range(8)])


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    names = [f"d{place}" for place in range(draw(st.integers(1, 8)))]
    return Catalog({name: draw(deployments(name)) for name in names})


traffics = st.builds(
    Traffic,
    decisions=st.integers(0, 500),
    threshold_usd=st.floats(0, 1),
    has_room=st.booleans(),
    is_full=st.booleans(),
)


@st.composite
def snapshots(draw: st.DrawFn, catalog: Catalog) -> Snapshot:
    states = {
        row.name: DeploymentState(
            draw(st.floats(1, 5_000)), draw(st.floats(1, 500)), draw(st.none() | st.just("failing"))
        )
        for row in catalog
    }
    return Snapshot("s", states, draw(traffics))


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    return Limits(
        max_cost_usd=draw(st.none() | st.floats(1e-6, 1)),
        max_latency_ms=draw(st.none() | st.floats(1, 100_000)),
        max_first_token_ms=draw(st.none() | st.floats(1, 5_000)),
        quality_floor=draw(st.none() | shares),
        minimum_tier=draw(st.none() | st.sampled_from(TIERS)),
        maximum_tier=draw(st.none() | st.sampled_from(TIERS)),
        allow=draw(st.none() | st.frozensets(names, min_size=4)),
        deny=draw(st.frozensets(names, max_size=2)),
        pin=draw(st.just(()) | st.lists(names, max_size=3, unique=True).map(tuple)),
        cost_versus_quality=draw(st.none() | shares),
        capabilities=draw(st.frozensets(st.sampled_from(CAPABILITIES), max_size=1)),
        compliance=draw(st.frozensets(st.sampled_from(TAGS), max_size=2)),
    )


counts = st.integers(0, 100_000).map(lambda tokens: TokenCount(tokens, 2 * tokens))


@st.composite
def requests(draw: st.DrawFn) -> RoutingRequest:
    output = draw(st.integers(1, 4_000))
    return RoutingRequest(
        decision_id="dec_1",
        input_tokens=draw(st.integers(0, 100_000)),
        expected_output_tokens=output,
        reserved_output_tokens=output,
        limits=draw(limits()),
        control_draw=draw(shares),
        exploration_draw=draw(st.sampled_from([0.0, 0.2, 0.29, 0.4, 1.0])),
        last_turn=draw(st.none() | st.builds(Turn, names, st.integers(0, 200_000))),
        day=draw(st.none() | st.dates(date(2026, 1, 1), date(2027, 1, 1))),
        uses=draw(st.sampled_from([frozenset(), frozenset({"stop", "streaming"})])),
        tokens=draw(st.just({}) | st.fixed_dictionaries({"o200k": counts, "llama3": counts})),
    )


predictions = st.tuples(shares, shares).map(
    lambda pair: Prediction(TIERS, (min(pair), max(pair), 1.0), "test")
)

policies = st.builds(
    Policy,
    quality_floor=shares,
    usd_per_second=st.floats(0, 0.01),
    usd_per_lost_quality=st.floats(0, 1),
    usd_per_switch=st.floats(0, 0.01),
    control_share=st.sampled_from([0.0, 0.5]),
    share_cap=st.sampled_from([0.0, 0.6, 1.0]),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[RoutingRequest, Prediction, Catalog, Snapshot, Policy]:
    catalog = draw(catalogs())
    return (
        draw(requests()),
        draw(predictions),
        catalog,
        draw(snapshots(catalog)),
        draw(policies),
    )
