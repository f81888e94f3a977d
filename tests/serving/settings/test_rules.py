"""Rules are checked at start: what cannot be meant is an error, what was hardly meant is told by `check`."""

from __future__ import annotations

import pytest

from serving.errors import ConfigurationError
from serving.routing.rules import Facts
from serving.settings import build_catalog, build_rules
from serving.settings.load import validate_text
from serving.settings.rule_advice import rule_advice

TIERS = ("economy", "standard", "premium")


def rule(name, when="", then="minimum_tier = 'standard'"):
    return f"[[rules]]\nname = '{name}'\nwhen = {{ {when} }}\nthen = {{ {then} }}\n"


def settings(*rules):
    return validate_text("\n".join(rules), "weighbridge.toml")


def advice(*rules):
    given = settings(*rules)
    return rule_advice(given.rules, build_catalog(given, {}), TIERS)


def book(*rules):
    given = settings(*rules)
    return build_rules(given.rules, build_catalog(given, {}))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (rule("a", "regex = '(a'"), "rule 'a', when: regex '(a' is no pattern"),
        (rule("a", "regex = '(?=a)b'"), "Look-around and back-references are not supported"),
        (
            rule("a", then="minimum_tier = 'premum'"),
            "rule 'a', then.minimum_tier = 'premum': 'premum' is not known",
        ),
        (rule("a", then="compliance = ['gdrp']"), "Did you mean 'gdpr'?"),
        (rule("a", then="max_cost_usd = nan"), "must be a finite number"),
        (rule("a", then="floor = 1"), "rule 'a', then.floor: unknown key."),
        (rule("a", "word = ['x']"), "rule 'a', when.word: unknown key. Did you mean 'words'?"),
        (rule("a", "languages = ['deutsch']"), "'deutsch' is not known"),
        (rule("a", "min_input_tokens = 9, max_input_tokens = 3"), "no prompt is. Change one"),
        (rule("a", "callers = ['legal']"), "rule 'a', when.callers: no [[callers]] row has 'legal'"),
        (rule("a", then="deny = ['demo-econmy']"), "rule 'a', deny: 'demo-econmy' is neither"),
        (rule("a") + rule("a"), "rules: the name 'a' is used 2 times"),
        ("[[rules]]\nname = 'a'\nwhen = {}\n", "rule 'a', then: is missing"),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_name_and_key(text, told):
    with pytest.raises(ConfigurationError) as raised:
        settings(text)
    assert told in raised.value.message


def test_a_pattern_takes_linear_time_however_it_is_written():
    rules = book(rule("a", r"regex = '^(a+)+$'"))
    # a backtracking engine would take longer than the universe has had
    assert rules.ruling(Facts(text="a" * 31_000 + "b")).names == ()


def test_words_are_whole_phrases_and_ideographs_are_parts():
    rules = book(rule("a", "words = ['Contract', 'cease and desist', '合同']"))
    for text, names in (
        ("this contract", ("a",)),
        ("contractor", ()),
        ("Cease and desist!", ("a",)),
        ("请看合同第一条", ("a",)),
    ):
        assert rules.ruling(Facts(text=text)).names == names


def test_patterns_in_a_group_that_cannot_be_joined_are_asked_alone():
    rules = book(
        rule("a", "regex = '(?P<n>x)'"), rule("b", "regex = '(?P<n>y)'"), rule("c", "regex = '(?x) z # )'")
    )
    assert rules.ruling(Facts(text="x y z")).names == ("a", "b", "c")


def test_an_alternative_does_not_reach_into_its_neighbours_in_a_group():
    rules = book(rule("a", "regex = 'x|y'"), rule("b", "regex = '(?i)z'"), rule("c", "regex = 'w'"))
    assert rules.ruling(Facts(text="Z W")).names == ("b",)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([rule("a", then="stop = true"), rule("b", "words = ['x']")], "'b' never acts"),
        (
            [rule("a", "words = ['x', 'y']", "stop = true"), rule("b", "words = ['x']", "needs = 'economy'")],
            "'b' never acts",
        ),
        (
            [
                rule("a", "tools = true", "maximum_tier = 'economy'"),
                rule("b", "tools = true, words = ['x']", "minimum_tier = 'premium'"),
            ],
            "no deployment may answer under both",
        ),
        (
            [rule("a", "regex = 'x'", "needs = 'economy'"), rule("b", "regex = 'x'", "needs = 'premium'")],
            "its needs = 'economy' counts first",
        ),
        (
            [rule("a", then="pin = ['demo-economy'], compliance = ['hipaa']")],
            "lets no usable deployment answer",
        ),
    ],
)
def test_rules_that_shadow_or_contradict_each_other_are_told(rules, told):
    (sentence,) = advice(*rules)
    assert told in sentence


def test_rules_that_may_hold_apart_are_nobodys_business():
    assert not advice(
        rule("a", "words = ['x']", "stop = true"),
        rule("b", "words = ['x', 'y']"),
        rule("c", "min_input_tokens = 5", "maximum_tier = 'economy'"),
        rule("d", "max_input_tokens = 4", "minimum_tier = 'premium'"),
    )


def test_ten_thousand_rules_load_are_compared_and_find_their_prompts():
    rows = [rule(f"r{place}", f"words = ['word{place}']") for place in range(9_000)]
    rows += [rule(f"p{place}", f"regex = 'code-{place}[a-z]'") for place in range(1_000)]
    given = settings(*rows)
    rules = build_rules(given.rules, build_catalog(given, {}))
    assert rules.ruling(Facts(text="about word77, and code-900x")).names == ("r77", "p900")
    assert not rule_advice(given.rules, build_catalog(given, {}), TIERS)
