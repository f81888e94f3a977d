"""Rules act in their order, on what they ask, and find their prompts among ten thousand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.routing.language import language_of
from serving.routing.request import Limits
from serving.routing.rules import READ_CHARS, Facts, Rule, Rulebook, When

FLOOR = Limits(minimum_tier="standard")


def acting(facts, *whens, **fields):
    return Rulebook([Rule(str(place), when, FLOOR, **fields) for place, when in enumerate(whens)]).ruling(
        facts
    )


def holds(facts, **when):
    return bool(acting(facts, When(**when)).names)


LETTER = Facts(
    text="The Contract ends in May.",
    input_tokens=10,
    required_tier="economy",
    caller="legal",
    user_tier="gold",
    metadata={"team": "x"},
    has_tools=True,
)


@pytest.mark.parametrize(
    ("met", "missed"),
    [
        ({"words": frozenset({"contract", "clause"})}, {"words": frozenset({"tract"})}),
        ({"phrases": ("contract ends",)}, {"phrases": ("contract begins",)}),
        ({"matches": lambda text: "May" in text}, {"matches": lambda text: "June" in text}),
        ({"callers": frozenset({"legal"})}, {"callers": frozenset({"sales"})}),
        ({"user_tiers": frozenset({"gold"})}, {"user_tiers": frozenset({"free"})}),
        ({"required_tiers": frozenset({"economy"})}, {"required_tiers": frozenset({"premium"})}),
        ({"languages": frozenset({"en", "de"})}, {"languages": frozenset({"de"})}),
        ({"metadata": (("team", "x"),)}, {"metadata": (("team", "y"),)}),
        ({"has_tools": True}, {"has_tools": False}),
        ({"min_input_tokens": 10}, {"min_input_tokens": 11}),
        ({"max_input_tokens": 10}, {"max_input_tokens": 9}),
    ],
)
def test_a_condition_holds_on_its_own_and_together_with_others(met, missed):
    assert holds(LETTER, **met)
    assert not holds(LETTER, **missed)
    if met.keys() != {"callers"}:
        assert holds(LETTER, **met, callers=frozenset({"legal"}))
        assert not holds(LETTER, **missed, callers=frozenset({"legal"}))


def test_a_rule_without_conditions_always_acts():
    assert acting(Facts(), When()).names == ("0",)


def test_rules_act_in_their_order_until_one_stops():
    rules = [
        Rule("a", When(words=frozenset({"contract"})), FLOOR, needs="premium"),
        Rule("b", When(), Limits(compliance=frozenset({"gdpr"})), needs="economy", stop=True),
        Rule("c", When(callers=frozenset({"legal"})), FLOOR),
    ]
    ruling = Rulebook(rules).ruling(LETTER)
    assert ruling.names == ("a", "b")
    assert ruling.needs == "premium"
    assert ruling.limits == (FLOOR, Limits(compliance=frozenset({"gdpr"})))


def test_one_rule_is_enough_to_stay_out_of_the_control_group():
    rules = [Rule("a", When()), Rule("b", When(), in_control_group=False)]
    assert Rulebook(rules).ruling(LETTER).in_control_group is False


def test_a_long_text_is_read_at_both_ends():
    text = "first " + "x" * (3 * READ_CHARS) + " last"
    assert holds(Facts(text=text), words=frozenset({"first"}))
    assert holds(Facts(text=text), matches=lambda read: read.endswith("last"))
    assert len(Facts(text=text).read) == 2 * READ_CHARS + 1


words = st.sampled_from(["contract", "invoice", "poem", "bug"])
whens = st.builds(
    When,
    words=st.frozensets(words, max_size=2),
    phrases=st.lists(words, max_size=1).map(tuple),
    callers=st.frozensets(st.sampled_from(["a", "b"]), max_size=1),
    user_tiers=st.frozensets(st.sampled_from(["gold"]), max_size=1),
    required_tiers=st.frozensets(st.sampled_from(["economy", "premium"]), max_size=1),
    metadata=st.lists(st.tuples(st.just("team"), st.sampled_from("xy")), max_size=1).map(tuple),
    min_input_tokens=st.integers(0, 2),
)
facts = st.builds(
    Facts,
    text=st.lists(words, max_size=3).map(" ".join),
    input_tokens=st.integers(0, 3),
    required_tier=st.sampled_from(["economy", "premium"]),
    caller=st.none() | st.sampled_from(["a", "b"]),
    user_tier=st.none() | st.just("gold"),
    metadata=st.dictionaries(st.just("team"), st.sampled_from("xy")),
)


@given(facts, st.lists(whens, max_size=8))
def test_the_index_finds_exactly_the_rules_that_hold(facts, whens):
    expected = tuple(str(place) for place, when in enumerate(whens) if when.holds(facts))
    assert acting(facts, *whens).names == expected


@given(facts, st.lists(st.sampled_from(["poem", "bug", "contract"]), max_size=6))
def test_groups_of_patterns_change_nothing(facts, patterns):
    rules = [Rule(str(place), When(matches=lambda text, p=p: p in text)) for place, p in enumerate(patterns)]
    together = (lambda text: any(pattern in text for pattern in patterns), tuple(range(len(patterns))))
    assert Rulebook(rules, [together]).ruling(facts) == Rulebook(rules).ruling(facts)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France?", "en"),
        ("Können Sie mir bitte sagen, wie das Wetter in Köln ist?", "de"),
        ("Pourquoi est-ce que le ciel est bleu ?", "fr"),
        ("¿Por qué el cielo es azul en verano?", "es"),
        ("Perché il cielo è blu e non verde?", "it"),
        ("为什么天空是蓝色的？", "zh"),
        ("なぜ空は青いのですか", "ja"),
        ("하늘은 왜 파란가요?", "ko"),
        ("Почему небо голубое?", "ru"),
        ("لماذا السماء زرقاء؟", "ar"),
        ("SELECT 1;", None),
        ("", None),
    ],
)
def test_a_language_is_guessed_by_script_or_common_words(text, language):
    assert language_of(text) == language
