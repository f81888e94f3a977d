"""The judge grades a share of the answers in the background, within its budget and the request's limits."""

from __future__ import annotations

import contextlib
import json
import time

import pytest

from serving.errors import ConfigurationError
from serving.grading import UnreadableVerdict, exhibit, text_of_stream, text_of_whole, verdict
from tests.fakes import (
    HELLO,
    HELLO_CHUNKS,
    HELLO_STREAM,
    FakeProvider,
    Reply,
    answering,
    calling,
    failing,
    sse,
    streaming,
)
from tests.running import in_process, logged
from tests.serving.api.bodies import chat_body

GOOD = answering({"content": '{"score": 0.9, "label": "fine"}'})
PATH = "/v1/chat/completions"


def row(name, provider, **fields):
    return {
        "name": name, "adapter": "openai_compatible", "tier": "economy", "base_url": provider.base_url,
        "usd_per_million_input": 1.0, "usd_per_million_output": 2.0, "context_window_tokens": 100_000,
        "capabilities": ["streaming", "tools", "vision"], **fields,
    }  # fmt: skip


@contextlib.contextmanager
def judged(folder, *verdicts, answers=(), judge=None, deployment=None, **tables):
    """Run a service with an answering deployment and a judge that says these verdicts."""
    with FakeProvider(*answers) as provider, FakeProvider(*(verdicts or (GOOD,))) as court:
        rows = [row("worker", provider), row("court", court, tier="premium", **(deployment or {}))]
        settings = {"deployment": "court", "share": 1.0} | (judge or {})
        given = {"catalog": {"include_defaults": False}, "deployments": rows, "judge": settings}
        with in_process(folder, policy={"share_cap": 1.0}, **given, **tables) as client:
            yield client, court


def counted(client, result):
    metrics = client.app.state.context.gateway.metrics
    return metrics.registry.get_sample_value("weighbridge_judged_total", {"result": result}) or 0.0


def wait_for(client, result, count=1):
    deadline = time.monotonic() + 10.0
    while counted(client, result) < count:
        assert time.monotonic() < deadline, client.get("/metrics").text
        time.sleep(0.01)


def ask(client, **fields):
    body = chat_body(model="worker") | fields
    answer = client.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-weighbridge-decision-id"]


def grades(client, decision_id):
    return logged(client)[decision_id]["feedback"]


def test_an_answer_is_graded_and_the_grade_is_marked_as_a_judges(tmp_path):
    with judged(tmp_path, feedback={"judge_weight": 0.25}) as (client, court):
        decision_id = ask(client)
        wait_for(client, "graded")
        (grade,) = grades(client, decision_id)
        assert (grade["source"], grade["score"], grade["label"]) == ("judge", 0.9, "fine")
        assert (grade["weight"], grade["comment"]) == (0.25, "by court")
        system, user = court.requests[0]["body"]["messages"]
        assert "Score 1" in system["content"]
        assert "Say hello to the new colleague." in user["content"]
        assert "Hello wörld" in user["content"]


def test_a_stream_is_graded_when_it_has_ended(tmp_path):
    with judged(tmp_path, answers=[streaming(HELLO_STREAM)]) as (client, court):
        decision_id = ask(client, stream=True)
        wait_for(client, "graded")
        assert "Hello wörld" in json.dumps(court.requests[0], ensure_ascii=False)
        assert len(grades(client, decision_id)) == 1


def test_a_stream_that_breaks_is_not_graded(tmp_path):
    broken = streaming(sse(*HELLO_CHUNKS[:2]), then="disconnect", pause_s=0.05)
    with judged(tmp_path, answers=[broken, Reply()]) as (client, court):
        ask(client, stream=True)
        ask(client)
        wait_for(client, "graded")
        assert len(court.requests) == 1


def test_the_judge_is_logged_as_a_caller_of_its_own_and_never_judged_itself(tmp_path):
    with judged(tmp_path) as (client, court):
        ask(client)
        wait_for(client, "graded")
        ask(client, model="court")
        rows = [one for one in logged(client).values() if one["endpoint"] == "judge"]
        assert len(rows) == 1
        assert (rows[0]["caller"], rows[0]["deployment"]) == ("weighbridge-judge", "court")
        assert rows[0]["outcome"]["cost_usd"] > 0
        assert len(court.requests) == 2


def test_a_share_is_drawn(tmp_path):
    with judged(tmp_path, judge={"share": 0.0}) as (client, court):
        ask(client)
    assert court.requests == []
    (folder := tmp_path / "half").mkdir()
    with judged(folder, judge={"share": 0.5, "queue_size": 1_000}) as (client, court):
        for _ in range(60):
            ask(client)
        deadline = time.monotonic() + 10.0
        while len(court.requests) < 15 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        assert 15 <= len(court.requests) <= 45


def test_a_judge_whose_budget_is_spent_asks_nobody_and_the_callers_notice_nothing(tmp_path):
    # a verdict may cost up to some $0.001, and costs $0.000011
    with judged(tmp_path, judge={"usd_per_day": 0.0012}) as (client, court):
        for _ in range(200):
            ask(client)
            if counted(client, "budget_spent") >= 3:
                break
        wait_for(client, "budget_spent", 3)
        rows = logged(client).values()
        outcomes = [one["outcome"] for one in rows if one["endpoint"] == "judge" and one["outcome"]]
        assert len(court.requests) == len(outcomes) > 0
        assert sum(one["cost_usd"] for one in outcomes) <= 0.0012


def test_the_judges_budget_is_not_the_callers(tmp_path):
    with judged(tmp_path, judge={"usd_per_day": 0.000001}) as (client, _):
        ask(client)
        wait_for(client, "budget_spent")
        ask(client)


@pytest.mark.parametrize(
    ("limits", "result"),
    [
        ({"compliance": ["x-house"]}, "no_eligible_deployment"),
        ({"allow": ["worker"]}, "no_eligible_deployment"),
        ({"deny": ["court"]}, "no_eligible_deployment"),
    ],
)
def test_a_judge_that_the_request_rules_out_is_not_shown_the_prompt(tmp_path, limits, result):
    with FakeProvider() as provider, FakeProvider(GOOD) as court:
        rows = [row("worker", provider, compliance=["x-house"]), row("court", court)]
        judge = {"deployment": "court", "share": 1.0}
        given = {"catalog": {"include_defaults": False}, "deployments": rows, "judge": judge}
        with in_process(tmp_path, **given) as client:
            ask(client, weighbridge=limits)
            wait_for(client, result)
        assert court.requests == []


@pytest.mark.parametrize(
    ("said", "result"),
    [
        (answering({"content": "I would say 0.9"}), "unreadable"),
        (answering({"content": '{"score": 7}'}), "unreadable"),
        (answering({"content": '{"score": NaN}'}), "unreadable"),
        (answering({"content": '{"score": 1} or {"score": 0}'}), "unreadable"),
        (answering({"content": None, "tool_calls": calling(("c", "f", "{}"))}), "unreadable"),
        (failing(500), "upstream"),
        (failing(401), "authentication"),
    ],
)
def test_what_is_no_verdict_is_counted_and_the_next_answer_is_graded(tmp_path, said, result):
    with judged(tmp_path, said, GOOD, dispatch={"max_attempts": 1}) as (client, _):
        first = ask(client)
        wait_for(client, result)
        second = ask(client)
        wait_for(client, "graded")
        assert [len(grades(client, one)) for one in (first, second)] == [0, 1]


def test_answers_that_come_faster_than_they_are_graded_are_left_out_and_counted(tmp_path):
    slow = Reply(GOOD.pieces, pause_s=0.5)
    with judged(tmp_path, slow, judge={"queue_size": 1}) as (client, _):
        for _ in range(5):
            ask(client)
        assert counted(client, "queue_full") >= 2


def test_what_is_not_told_by_text_alone_is_not_judged(tmp_path):
    image = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    tool = answering({"content": None, "tool_calls": calling(("c", "f", "{}"))}, "tool_calls")
    with judged(tmp_path, answers=[Reply(), tool]) as (client, court):
        ask(client, messages=[{"role": "user", "content": image}])
        ask(client)
        wait_for(client, "not_text", 2)
        assert court.requests == []


def test_nothing_of_the_prompt_is_kept_for_the_judge(tmp_path):
    with judged(tmp_path) as (client, _):
        ask(client, messages=[{"role": "user", "content": "The password is swordfish."}])
        wait_for(client, "graded")
        logged(client)
    assert b"swordfish" not in b"".join(file.read_bytes() for file in tmp_path.glob("decisions.db*"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"judge": {"deployment": "cuort"}}, "there is no deployment 'cuort'"),
        ({"deployment": {"api_key_env": "COURT_KEY"}}, "set COURT_KEY"),
        ({"deployment": {"usd_per_million_output": 0.0, "usd_per_million_input": 0.0}}, None),
    ],
)
def test_a_judge_that_cannot_work_is_told_at_start(tmp_path, changes, told):
    if told is None:
        with judged(tmp_path, **changes) as (client, _):
            ask(client)
            wait_for(client, "graded")
        return
    with pytest.raises(ConfigurationError, match=told), judged(tmp_path, **changes):
        pass


def test_a_judge_without_a_price_is_refused_since_no_budget_could_hold(tmp_path):
    with FakeProvider() as provider, pytest.raises(ConfigurationError, match="no price"):
        rows = [row("worker", provider), row("court", provider)]
        del rows[1]["usd_per_million_output"]
        judge = {"deployment": "court"}
        with in_process(tmp_path, catalog={"include_defaults": False}, deployments=rows, judge=judge):
            pass


def test_of_a_long_answer_head_and_tail_are_shown():
    shown = exhibit([{"role": "user", "content": "a" * 50 + "z" * 50}], "b" * 500, 40)
    assert shown.conversation.startswith("[user]\naaa")
    assert shown.conversation.endswith("zzz")
    assert len(shown.answer) < 60


@pytest.mark.parametrize("said", ["", "{}", '{"score": "1"}', '{"score": 1, "label": "good"}', "[0.5]", "{"])
def test_what_is_no_verdict_is_refused(said):
    with pytest.raises(UnreadableVerdict):
        verdict(said)


def test_words_are_found_in_whole_answers_and_in_streams():
    assert text_of_whole(json.dumps(HELLO).encode()) == "Hello wörld"
    assert text_of_stream(HELLO_STREAM) == "Hello wörld"
    assert (text_of_whole(b"not json"), text_of_stream(b"data: [1]\n\n")) == ("", "")
