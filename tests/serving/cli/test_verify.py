"""`weighbridge verify` finds out what a deployment can really do, and serving goes by what was found."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from serving.cli.settings import check
from serving.cli.verify import verify
from serving.settings.matrix import Finding, Verified, read, write
from tests.fakes import FakeProvider, Reply, answering, calling, chunk, failing, sse, streaming
from tests.running import in_process, write_settings

DECLARED = ["tools", "json_schema", "streaming"]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


def honest(body):
    """Answer every probe as a deployment does that can do everything but see."""
    last = body["messages"][-1]["content"]
    if isinstance(last, list):
        return failing(400, "This model takes no images.")
    if body.get("stream"):
        return streaming(sse(chunk({"content": "one … "}), chunk({"content": "twenty"}, "stop"), b"[DONE]"))
    if body.get("tools"):
        places = ("Lima", "Oslo") if "Oslo" in last else ("Lima",)
        calls = [(f"c{place}", "get_weather", json.dumps({"place": place})) for place in places]
        return answering({"tool_calls": calling(*calls)}, "tool_calls")
    if body.get("response_format"):
        return answering({"content": '{"name": "Ada", "age": 36}'})
    if body.get("n") == 2:
        bird = {"message": {"role": "assistant", "content": "Heron"}, "finish_reason": "stop"}
        return answering({}, choices=[bird | {"index": place} for place in (0, 1)])
    said = {"alpha": "alpha beta ", "password": "heron-4417", "Peru": "PELICAN", "2 + 2": "4"}
    return answering({"content": next(said[word] for word in said if word in last)})


def settings(folder, provider, **catalog):
    row = {
        "name": "claims", "model": "m", "adapter": "openai_compatible", "tier": "premium",
        "base_url": provider.base_url, "usd_per_million_input": 1.0, "usd_per_million_output": 1.0,
        "context_window_tokens": 50_000, "max_output_tokens": 5_000, "capabilities": DECLARED,
    }  # fmt: skip
    verified = {"include_defaults": False, "verified": str(folder / "capabilities.json")}
    return {"catalog": verified | catalog, "deployments": [row]}


def run(folder, provider, *arguments):
    config = write_settings(folder, **settings(folder, provider))
    done = CliRunner().invoke(verify, ["--config", str(config), *arguments])
    matrix = read(folder / "capabilities.json").deployments.get("claims")
    return done, matrix


def works(matrix):
    return {name: finding.works for name, finding in matrix.findings.items()}


def test_an_honest_deployment_is_found_to_do_what_it_does(tmp_path):
    with FakeProvider(honest) as provider:
        done, matrix = run(tmp_path, provider)
    assert done.exit_code == 0, done.stderr
    assert works(matrix) == {
        "system_prompt": True, "stop": True, "json_schema": True, "tools": True, "parallel_tools": True,
        "streaming": True, "vision": False, "several_answers": True, "long_context": True,
    }  # fmt: skip
    assert "takes no images" in done.stdout


def test_a_deployment_that_lies_about_tools_gets_no_request_with_tools(tmp_path):
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}
    with FakeProvider(Reply()) as liar:
        with in_process(tmp_path, **settings(tmp_path, liar)) as client:
            assert client.post("/v1/chat/completions", json=asked | {"tools": [TOOL]}).status_code == 200
        done, matrix = run(tmp_path, liar)
        assert works(matrix)["tools"] is False
        assert "tools" in done.stdout
        liar.plays(Reply())
        with in_process(tmp_path, **settings(tmp_path, liar)) as client:
            refused = client.post("/v1/chat/completions", json=asked | {"tools": [TOOL]})
            assert client.post("/v1/chat/completions", json=asked).status_code == 200
    assert refused.status_code == 422
    assert "cannot do tools" in refused.json()["error"]["message"]
    assert len(liar.requests) == 1


def in_one_piece(body):
    """Answer whatever is asked with the same words, a stream with one chunk."""
    if body.get("stream"):
        return streaming(sse(chunk({"content": "one to twenty"}, "stop"), b"[DONE]"))
    return answering({"content": "beta and gamma"})


SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": "Hello?"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("stop", {"stop": ["END"]}),
        ("system_prompt", {"messages": [SYSTEM, USER]}),
        ("streaming", {"stream": True}),
    ],
)
def test_what_everyone_is_thought_to_do_is_not_asked_of_one_that_was_found_not_to(tmp_path, name, fields):
    asked = {"model": "auto", "messages": [USER]}
    with FakeProvider(in_one_piece) as liar:
        _, matrix = run(tmp_path, liar)
        assert works(matrix)[name] is False
        liar.plays(Reply())
        with in_process(tmp_path, **settings(tmp_path, liar)) as client:
            refused = client.post("/v1/chat/completions", json=asked | fields)
            assert client.post("/v1/chat/completions", json=asked).status_code == 200
    assert refused.status_code == 422
    assert f"cannot do {name}" in refused.json()["error"]["message"]
    assert len(liar.requests) == 1


def test_one_that_gives_one_answer_where_two_were_asked_for_is_not_asked_for_two(tmp_path):
    asked = {"model": "auto", "messages": [{"role": "user", "content": "Hello?"}]}
    with FakeProvider(Reply()) as single:
        with in_process(tmp_path, **settings(tmp_path, single)) as client:
            assert client.post("/v1/chat/completions", json=asked | {"n": 2}).status_code == 200
        _, matrix = run(tmp_path, single)
        assert works(matrix)["several_answers"] is False
        single.plays(Reply())
        with in_process(tmp_path, **settings(tmp_path, single)) as client:
            refused = client.post("/v1/chat/completions", json=asked | {"n": 2})
            assert client.post("/v1/chat/completions", json=asked | {"n": 1}).status_code == 200
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "n")
    assert len(single.requests) == 1


def test_what_was_found_to_work_counts_though_it_was_not_declared(tmp_path):
    two_tools = {"model": "auto", "messages": [{"role": "user", "content": "a"}]}
    needs = two_tools | {"weighbridge": {"capabilities": ["parallel_tools"]}}
    with FakeProvider(honest) as provider:
        run(tmp_path, provider)
        provider.plays(Reply())
        with in_process(tmp_path, **settings(tmp_path, provider)) as client:
            assert client.post("/v1/chat/completions", json=needs).status_code == 200


def test_one_that_cannot_be_reached_is_unknown_and_stays_as_declared(tmp_path):
    with FakeProvider(failing(429)) as provider:
        done, matrix = run(tmp_path, provider)
        provider.plays(Reply())
        with in_process(tmp_path, **settings(tmp_path, provider)) as client:
            body = {"model": "auto", "messages": [{"role": "user", "content": "a"}], "tools": [TOOL]}
            assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert done.exit_code == 1
    assert set(works(matrix).values()) == {None}


def test_your_own_tasks_are_counted(tmp_path):
    rows = [{"prompt": "2 + 2?", "expect": r"\b4\b"}, {"prompt": "2 + 2?", "expect": "five"}]
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("\n".join(map(json.dumps, rows)))
    with FakeProvider(honest) as provider:
        done, matrix = run(tmp_path, provider, "claims", "--tasks", str(tmp_path / "tasks.jsonl"))
    assert (matrix.tasks_passed, matrix.tasks) == (1, 2)
    assert "1 of 2 passed" in done.stdout


@pytest.mark.parametrize(
    ("line", "told"),
    [("{", "line 1"), ('{"prompt": "a"}', "expect"), ('{"prompt": "a", "expect": "("}', "line 1"),
     ('{"expect": "a"}', "prompt or messages"), ("", "no task")],
)  # fmt: skip
def test_a_bad_task_is_told_by_its_line_and_nothing_is_sent(tmp_path, line, told):
    (tmp_path / "tasks.jsonl").write_text(line)
    with FakeProvider(honest) as provider:
        done, matrix = run(tmp_path, provider, "--tasks", str(tmp_path / "tasks.jsonl"))
    assert (done.exit_code, matrix, provider.requests) == (1, None, [])
    assert told in done.stderr


def test_an_unknown_deployment_is_told_with_the_known_ones(tmp_path):
    with FakeProvider(honest) as provider:
        done, _ = run(tmp_path, provider, "nobody")
    assert done.exit_code == 1
    assert "'nobody'" in done.stderr
    assert "claims" in done.stderr


def test_another_model_under_the_same_name_is_not_what_was_verified(tmp_path):
    with FakeProvider(Reply()) as provider:
        _, matrix = run(tmp_path, provider)
        old = Verified("openai_compatible http://elsewhere/v1 m", matrix.verified_at, matrix.findings)
        write(tmp_path / "capabilities.json", {"claims": old})
        with in_process(tmp_path, **settings(tmp_path, provider)) as client:
            body = {"model": "auto", "messages": [{"role": "user", "content": "a"}], "tools": [TOOL]}
            assert client.post("/v1/chat/completions", json=body).status_code == 200


def test_a_prompt_as_long_as_the_one_that_failed_is_not_sent(tmp_path):
    with FakeProvider(Reply()) as provider:
        write_settings(tmp_path, **settings(tmp_path, provider))
        here = f"openai_compatible {provider.base_url} m"
        lost = Verified(here, "", {"long_context": Finding(False)}, long_context_tokens=1_000)
        write(tmp_path / "capabilities.json", {"claims": lost})
        with in_process(tmp_path, **settings(tmp_path, provider)) as client:
            body = {"model": "auto", "max_tokens": 10}
            said = [{"role": "user", "content": "word " * 1_200}], [{"role": "user", "content": "word"}]
            statuses = [
                client.post("/v1/chat/completions", json=body | {"messages": one}).status_code for one in said
            ]
    assert statuses == [422, 200]


def test_findings_of_other_deployments_stay(tmp_path):
    path = tmp_path / "new" / "capabilities.json"
    one = Verified("a", "now", {"tools": Finding(True)})
    write(path, {"first": one})
    write(path, {"second": one})
    assert set(read(path).deployments) == {"first", "second"}
    assert [file.name for file in path.parent.iterdir()] == ["capabilities.json"]


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "other/9"}'])
def test_a_file_that_is_no_matrix_stops_the_start_with_the_way_out(tmp_path, content):
    (tmp_path / "capabilities.json").write_text(content)
    with FakeProvider(honest) as provider:
        config = write_settings(tmp_path, **settings(tmp_path, provider))
        done = CliRunner().invoke(check, ["--config", str(config)])
    assert done.exit_code == 1
    assert "weighbridge verify" in done.stderr
