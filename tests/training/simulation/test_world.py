from __future__ import annotations

from dataclasses import replace

import pytest

from tests.training.simulation.conftest import outcome
from training.simulation.plan import Plan, SimulationError
from training.simulation.world import build_world, steps


def texts(prompts):
    return {prompt.text for prompt in prompts}


def test_no_prompt_is_in_two_parts_and_none_is_lost(outcomes, plan):
    world = build_world(outcomes, plan)
    parts = [texts(world.base), texts(world.traffic), texts(world.fresh)]
    assert sum(len(part) for part in parts) == len(set.union(*parts)) == len({row.prompt for row in outcomes})


def test_equal_prompts_go_the_same_way_whatever_their_case_and_blanks(outcomes, plan):
    twice = [
        *outcomes,
        *(replace(row, id=f"{row.id}-b", prompt=f" {row.prompt.upper()}") for row in outcomes),
    ]
    world = build_world(twice, plan)
    for part in (world.base, world.traffic, world.fresh):
        ids = {prompt.id for prompt in part}
        assert {f"{one.removesuffix('-b')}-b" for one in ids} <= ids


def test_the_base_knows_nothing_of_the_new_tasks(outcomes, plan):
    world = build_world(outcomes, plan)
    assert world.base
    assert not [prompt for prompt in world.base if prompt.is_new]
    assert {prompt.task for prompt in world.fresh if prompt.is_new} == {"sums"}


def test_a_row_that_a_tier_has_no_score_for_is_left_out(outcomes, plan):
    bare = replace(outcomes[0], id="bare", prompt="How many?", scores={"small": 1.0})
    world = build_world([*outcomes, bare], plan)
    assert "bare" not in {prompt.id for part in (world.base, world.traffic, world.fresh) for prompt in part}


def test_the_same_seed_deals_the_same_traffic_and_another_one_another(outcomes, plan):
    world = build_world(outcomes, plan)
    assert list(steps(world, plan, 80)) == list(steps(world, plan, 80))
    assert list(steps(world, plan, 80)) != list(steps(world, replace(plan, seed=8), 80))


def test_no_prompt_comes_again_before_all_of_its_kind_have_come(outcomes, plan):
    world = build_world(outcomes, plan)
    new = [prompt for prompt in world.traffic if prompt.is_new]
    seen = [step.prompt.text for step in steps(world, plan, 600) if step.prompt.is_new]
    assert len(seen) > 2 * len(new)
    assert set(seen[: len(new)]) == set(seen[len(new) : 2 * len(new)]) == texts(new)


def test_feedback_is_as_sparse_and_as_noisy_as_the_plan_says(outcomes, plan):
    given = list(steps(build_world(outcomes, plan), replace(plan, feedback=0.2, noise=0.1), 5_000))
    thumbs = [step for step in given if step.thumb(0) is not None]
    wrong = [step for step in thumbs if (step.thumb(0) == "up") != (step.answers[0] >= 0.5)]
    assert 0.18 < len(thumbs) / len(given) < 0.22
    assert 0.07 < len(wrong) / len(thumbs) < 0.13
    assert 0.3 < sum(step.prompt.is_new for step in given) / len(given) < 0.37


def test_a_tier_answers_with_the_score_of_one_of_its_models(outcomes, plan):
    rows = [replace(row, scores=row.scores | {"small": 1.0, "tiny": 0.0}) for row in outcomes]
    given = list(steps(build_world(rows, plan), plan, 400))
    assert {step.answers[0] for step in given} == {0.0, 1.0}
    assert 0.4 < sum(step.answers[0] for step in given) / len(given) < 0.6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answers": ()}, "answers"),
        ({"answers": (500, 100)}, "rise"),
        ({"arms": ("loop", "lucky")}, "lucky"),
        ({"feedback": 1.2}, "feedback"),
        ({"fresh": 0.5, "base": 0.5}, "traffic"),
        ({"prompts": "none"}, "text or features"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_what_is_wrong(change, told):
    with pytest.raises(SimulationError, match=told):
        Plan(**change)


def test_a_source_that_would_tell_the_base_all_is_refused(config):
    with pytest.raises(SimulationError, match="sources"):
        Plan(training=replace(config, sources=("nine_models",)))


def test_a_world_without_the_new_tasks_or_with_too_few_rows_is_refused(outcomes, plan):
    with pytest.raises(SimulationError, match="no row is of the task 'mmlu'"):
        build_world(outcomes, replace(plan, new_tasks=("mmlu",)))
    with pytest.raises(SimulationError, match="Give more rows"):
        build_world([outcome(1, "sums", "1 + 1?", 0, 0, 1, 1)], plan)
