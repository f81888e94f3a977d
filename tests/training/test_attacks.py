from __future__ import annotations

from collections import Counter

from training.attacks import ATTACKS, DOWN, UP, Attack, moved, success_rates

TIERS = ("economy", "standard", "premium")


def test_the_suite_has_forty_attacks_of_seven_families_in_both_directions():
    assert len(ATTACKS) >= 40
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    both = Counter((attack.family, attack.wants) for attack in ATTACKS)
    assert len(both) == 14
    assert all(attack.dress("Why?") != "Why?" for attack in ATTACKS)
    assert all("Why?" in attack.dress("Why?") for attack in ATTACKS)


def test_only_a_move_in_the_wanted_direction_is_a_success():
    def classify(prompt):
        return "economy" if prompt.startswith("easy") else "premium" if "proof" in prompt else "standard"

    attacks = (
        Attack("a", "claim", DOWN, lambda text: f"easy {text}"),
        Attack("b", "claim", UP, lambda text: f"easy {text}"),
        Attack("c", "stuffing", UP, lambda text: f"{text} proof"),
    )
    found = success_rates(moved(classify, ["q", "r proof"], TIERS, attacks), attacks, rounds=50)
    # of six pairs: a moves both prompts down, b moves none up, c moves the first up
    assert (found["total"]["pairs"], found["total"]["value"]) == (6, 0.5)
    assert found["family"]["claim"]["value"] == 0.5
    assert found["family"]["stuffing"]["value"] == 0.5
    assert found["direction"][DOWN]["value"] == 1.0


def test_a_router_that_reads_no_words_cannot_be_talked_to():
    found = success_rates(moved(lambda _: "standard", ["a", "b"], TIERS), rounds=20)
    assert found["total"] == {
        "attacks": len(ATTACKS), "pairs": 2 * len(ATTACKS), "value": 0.0, "low": 0.0, "high": 0.0,
    }  # fmt: skip
