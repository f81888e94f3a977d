"""Other dresses of a prompt: seeded, around the request and not instead of it, and apart from the attacks."""

from __future__ import annotations

import random

from training import augment
from training.attacks import ATTACKS
from training.config import TrainingConfig
from training.dataset import load_corpus

CONFIG = TrainingConfig()


def rows():
    return load_corpus(CONFIG.corpus, CONFIG.tiers).rows[::40]


def before(row):
    """Return what stands before the last message of the user, and whatever is not a message."""
    messages = row.prompt.get("messages", [])
    users = [place for place, message in enumerate(messages) if message["role"] == "user"]
    rest = {name: value for name, value in row.prompt.items() if name not in ("prompt", "messages")}
    return messages[: users[-1]] if users else [], rest


def test_a_dress_changes_the_request_and_neither_the_label_nor_the_history():
    changed = 0
    for row, other in zip(rows(), augment.augmented(rows(), seed=1), strict=True):
        assert (other.id, other.tier, other.group) == (row.id, row.tier, row.group)
        assert before(other) == before(row)
        changed += other.prompt != row.prompt
    assert changed > 0.8 * len(rows())


def test_the_same_seed_dresses_the_same_way_and_another_differently():
    first, again, other = (augment.augmented(rows(), seed=seed) for seed in (1, 1, 2))
    assert [one.prompt for one in first] == [one.prompt for one in again]
    assert [one.prompt for one in first] != [one.prompt for one in other]


def test_talk_stands_around_the_words_of_the_request():
    prompt = {"prompt": "What is the capital of Peru?"}
    talk = augment.read_talk(augment.TALK)
    whole = [augment.dressed(prompt, random.Random(seed), talk)["prompt"] for seed in range(200)]
    assert sum("What is the capital of Peru?" in text for text in whole) > 80


def test_what_is_learned_from_is_not_what_measures_it():
    suite = {attack.dress("").strip() for attack in ATTACKS}
    by_kind = augment.read_talk(augment.TALK).by_kind
    learned = {f"{before}{after}".strip() for pairs in by_kind.values() for before, after in pairs}
    assert len(learned) > 500
    assert not suite & learned
