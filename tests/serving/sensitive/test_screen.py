"""What is sensitive is found wherever it stands, what only looks like it is not; failing is strictest."""

from __future__ import annotations

import re
import re._parser as sre_parse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.app import build_weigher
from serving.errors import ConfigurationError
from serving.sensitive import screen
from serving.sensitive.kinds import SHAPES
from serving.sensitive.screen import UNDETERMINED, Screen, Shape
from serving.settings.load import validate_text
from tests.running import in_process, served

PIECES = [
    "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "a@b.org", "+49 30 901820", "536-90-4399",
    "AKIAIOSFODNN7EXAMPLE", "api_key: q8sd7f6sd8f7", "diagnosed",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.aaaaaaaaaaaa",
]  # fmt: skip
EACH = {kind: frozenset({f"x-{kind}"}) for kind in SHAPES}
SCREEN = Screen(EACH, SHAPES)


def kinds(text):
    return set(SCREEN.look({"messages": [{"role": "user", "content": text}]}).kinds)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("use sk-proj-" + "aB3" * 12, "secret"),
        ("AKIA" + "IOSFODNN7EXAMPLE", "secret"),
        ("ghp_" + "a1" * 18, "secret"),
        ("-----BEGIN RSA PRIVATE KEY-----", "secret"),
        ('{"api_key": "q8sd7f6sd8f7"}', "secret"),
        ("DB_PASSWORD=correct-horse", "secret"),
        ("card 4111 1111 1111 1111 please", "card"),
        ("5555-5555-5555-4444", "card"),
        ("378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00 is mine", "iban"),
        ("gb82west12345698765432", "iban"),
        ("my ssn is 536-90-4399", "national_id"),
        ("NHS 943 476 5919", "national_id"),
        ("Steuer-ID 36574261809", "national_id"),
        ("CPF 390.533.447-05", "national_id"),
        ("DNI 54362315K", "national_id"),
        ("AHV 756.9217.0769.85", "national_id"),
        ("write to bob.smith+x@mail.example.org", "email"),
        ("call +49 30 901820", "phone"),
        ("call (415) 555-2671 now", "phone"),
        ("she was diagnosed last year", "health"),
        ("Meine Mutter hat Krebs", "health"),
    ],
)
def test_it_is_found(text, kind):
    assert kind in kinds(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("card 4111 1111 1111 1112", "card"),
        ("0000 0000 0000 0000", "card"),
        ("DE89 3704 0044 0532 0130 01", "iban"),
        ("000-12-3456", "national_id"),
        ("NHS 943 476 5918", "national_id"),
        ("How do I reset a password?", "secret"),
        ("a sk-learn pipeline", "secret"),
        ("x = a @ b.T", "email"),
        ("2026-11-25 10:00", "phone"),
        ("What is the capital of France?", "health"),
    ],
)
def test_what_only_looks_like_it_is_not(text, kind):
    assert kind not in kinds(text)


def test_it_is_found_in_every_text_of_a_prompt():
    card = "4111111111111111"
    for prompt in (
        {"messages": [{"role": "system", "content": card}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": card}]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": card}}]}]},
        {"messages": [], "tools": [{"function": {"description": card}}]},
    ):
        assert SCREEN.look(prompt).tags == {"x-card"}
    assert SCREEN.look({}, card).tags == {"x-card"}


def test_a_kind_without_tags_is_not_looked_for():
    assert (
        Screen({"card": frozenset(), "email": frozenset({"x-e"})}, SHAPES).look({}, "4111111111111111").kinds
        == ()
    )


def test_a_failure_requires_every_tag():
    def fails(found):
        raise RuntimeError

    screen = Screen(EACH, {**SHAPES, "card": (Shape(re.compile("4"), fails),)})
    found = screen.look({}, "4")
    assert (found.kinds, found.tags) == ((UNDETERMINED,), frozenset().union(*EACH.values()))


def test_more_to_prove_than_can_be_proved_counts_as_found():
    assert "card" in kinds("4111 1111 1111 1112, " * 25_000)


@given(st.text(), st.sampled_from(["4111111111111111", "DE89370400440532013000", "a@b.org"]), st.text())
def test_what_stands_between_other_words_is_found(before, secret, after):
    assert kinds(f"{before} \n{secret}\n {after}")


@given(st.text())
def test_any_text_can_be_searched(text):
    assert UNDETERMINED not in kinds(text)


@given(
    st.lists(st.sampled_from([*PIECES, "-", " ", "1", "a", ".", "\n"]), max_size=30).map("".join),
    st.integers(1, 40),
)
def test_slices_find_what_one_search_finds(text, size):
    with pytest.MonkeyPatch.context() as patched:
        whole = kinds(text)
        patched.setattr(screen, "_SLICE_CHARS", size)
        assert kinds(text) == whole


def test_no_pattern_matches_more_than_a_slice_looks_beyond():
    longest = [shape.pattern for shapes in SHAPES.values() for shape in shapes]
    for pattern in longest:
        assert sre_parse.parse(pattern.pattern, pattern.flags).getwidth()[1] < screen.LONGEST_MATCH_CHARS


@pytest.mark.parametrize("text", ["1", "a@", "a.", "-", "eyJ", "sk-", "DE12 ", "1 ", "+1 ", "password="])
def test_a_prompt_of_megabytes_is_searched_to_its_end(text):
    assert UNDETERMINED not in kinds(text * (1_000_000 // len(text)))


def test_while_megabytes_are_searched_others_are_answered(tmp_path):
    looked_for = {kind: ["gdpr"] for kind in SHAPES}
    with served(tmp_path, sensitive=looked_for, server={"max_body_bytes": 8_000_000}) as service:
        large = {"prompt": "no such thing in here, 12 of it. " * 40_000}
        with ThreadPoolExecutor(1) as beside, httpx2.Client(base_url=service.base_url, timeout=60) as client:
            searched = beside.submit(httpx2.post, f"{service.base_url}/route", json=large, timeout=60)
            started_s = last_s = time.perf_counter()
            longest_s = 0.0
            while not searched.done():
                assert client.get("/healthz").status_code == 200
                now_s = time.perf_counter()
                longest_s, last_s = max(longest_s, now_s - last_s), now_s
            assert searched.result().json()["error"]["code"] == "no_eligible_deployment"
    # on the event loop the search is one long wait for all others, and most of the time it takes
    assert longest_s < (last_s - started_s) / 3


CARDS = {"sensitive": {"card": ["gdpr"]}}


def test_a_prompt_with_a_card_only_goes_where_the_settings_let_it(tmp_path):
    with in_process(tmp_path, **CARDS) as client:
        body = {"prompt": "What is 4111 1111 1111 1111?", "model": "demo-economy"}
        refused = client.post("/route", json=body)
        assert refused.status_code == 422
        assert "not cleared for gdpr" in refused.json()["error"]["message"]
        decision = client.post("/route", json=body | {"model": "auto"}).json()
        assert decision["sensitive"] == ["card"]
        assert "demo-economy" not in {row["deployment"] for row in decision["ranking"]}
        assert client.post("/route", json={"prompt": "What is 4?"}).json()["sensitive"] == []


def test_a_tag_that_nobody_knows_is_told():
    with pytest.raises(ConfigurationError, match="Did you mean 'gdpr'"):
        validate_text('[sensitive]\ncard = ["gdrp"]', "team.toml")


def test_the_service_does_not_start_without_what_looks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "stdnum", None)
    monkeypatch.delitem(sys.modules, "serving.sensitive.kinds")
    with pytest.raises(ConfigurationError, match=r"sensitive\.card .*weighbridge\[sensitive\]"):
        build_weigher(validate_text('[sensitive]\ncard = ["gdpr"]', "team.toml"), {})
