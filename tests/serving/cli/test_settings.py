"""The commands about settings teach: what was written, what is in force, what is wrong; never a traceback."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from serving.cli.settings import check, init
from serving.settings import load_settings
from tests.running import weighbridge

ROW = '[[deployments]]\nname = "mine"\nadapter = "demo"\ntier = "economy"\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("WEIGHBRIDGE_")]:
        monkeypatch.delenv(name)

    def command(which, *arguments, **environ):
        result = CliRunner().invoke(which, [str(argument) for argument in arguments], env=environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return command


def test_init_writes_a_file_that_holds(run, tmp_path):
    result = run(init)
    assert result.exit_code == 0
    assert "weighbridge check" in result.output
    assert load_settings(None, {}).source == "weighbridge.toml"


def test_init_never_overwrites_unless_told_to(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("server.port = 9")
    refused = run(init, "--path", path)
    assert (refused.exit_code, path.read_text()) == (1, "server.port = 9")
    assert "--force" in refused.output
    assert run(init, "--path", path, "--force").exit_code == 0
    assert "[server]" in path.read_text()


def test_init_says_where_it_cannot_write(run, tmp_path):
    result = run(init, "--path", tmp_path / "no" / "such" / "folder.toml")
    assert result.exit_code == 1
    assert "cannot be written" in result.output


def test_check_tells_what_is_in_force(run):
    result = run(check)
    assert result.exit_code == 0, result.output
    for told in (
        "the built-in defaults",
        "127.0.0.1:8080",
        "quality floor 0.7",
        "decisions.db, without prompts",
    ):
        assert told in result.output
    assert "economy < standard < premium" in result.output
    assert "The settings are good." in result.output


def test_check_tells_who_judges_and_how_much_is_explored_where_that_is_on(run, tmp_path):
    (tmp_path / "weighbridge.toml").write_text(
        'policy.exploration_share = 0.05\njudge = { deployment = "demo-premium", usd_per_day = 2.0 }\n'
    )
    output = run(check).output
    assert "exploration  5.0% of the traffic" in output
    assert "judge        demo-premium, 5.0% of the answers, $2 per day" in output


def test_check_tells_what_is_off_and_how_to_switch_it_on(run):
    result = run(check, GROQ_API_KEY="k")
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.startswith("  ")}
    assert "set OPENAI_API_KEY" in lines["gpt-6-luna"]
    assert " on " in lines["groq-gpt-oss-20b"]
    assert "only by name" in lines["demo-economy"]
    assert "warning: No usable deployment has the tier 'premium'" in result.output


def test_check_never_shows_a_key(run):
    assert "sk-secret" not in run(check, GROQ_API_KEY="sk-secret", WEIGHBRIDGE_API_KEYS="sk-secret-2").output


def test_check_warns_of_an_open_door(run, tmp_path):
    (tmp_path / "weighbridge.toml").write_text('server.host = "0.0.0.0"')
    assert "warning: server.host" in run(check).output
    assert "warning: server.host" not in run(check, WEIGHBRIDGE_API_KEYS="k").output


def test_check_tells_every_problem_of_a_wrong_file(run, tmp_path):
    (tmp_path / "wrong.toml").write_text(f"server.prot = 1\n{ROW}context_window_tokens = 0\n")
    result = run(check, "--config", "wrong.toml")
    assert result.exit_code == 1
    assert "Did you mean 'port'" in result.output
    assert "deployment 'mine', context_window_tokens = 0" in result.output


@pytest.mark.parametrize("content", [b"\xff\xfe", b"= = =", b"[[", b"a = 1\n" * 3, b"\x00"])
def test_check_reads_any_bytes_without_a_traceback(run, tmp_path, content):
    (tmp_path / "weighbridge.toml").write_bytes(content)
    result = run(check)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_check_says_when_nothing_is_usable(run, tmp_path):
    (tmp_path / "weighbridge.toml").write_text("catalog.include_defaults = false")
    result = run(check)
    assert result.exit_code == 1
    assert "no deployment is usable" in result.output


def test_check_says_when_there_is_no_artifact(run, tmp_path):
    (tmp_path / "weighbridge.toml").write_text(f'classifier.models = "{(tmp_path / "empty").as_posix()}"')
    result = run(check)
    assert result.exit_code == 1
    assert "problem: The classifier cannot be used." in result.output


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("notes.txt", "problem: The decision log 'notes.txt'"),
        ("notes.txt/decisions.db", "problem: log.path 'notes.txt/decisions.db'"),
    ],
    ids=["it is something else", "it can have no place"],
)
def test_check_says_when_the_log_cannot_be_used(run, tmp_path, path, told):
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "weighbridge.toml").write_text(f'log.path = "{path}"')
    result = run(check)
    assert result.exit_code == 1
    assert told in result.output


def test_check_creates_nothing(run, tmp_path):
    run(check)
    assert list(tmp_path.iterdir()) == []


WRONG = {
    "a negative price": (
        'usd_per_million_input = -1', ["usd_per_million_input = -1", "greater than or equal to 0"],
    ),
    "a name used twice": (
        '[[deployments]]\nname = "mine"\nadapter = "demo"\ntier = "economy"', ["'mine'", "2 times"],
    ),
    "a tag nobody knows": ('compliance = ["gdrp"]', ["compliance", "'gdrp'", "Did you mean 'gdpr'"]),
    "a window of nothing": ("context_window_tokens = 0", ["context_window_tokens = 0", "greater than"]),
    "a day that has passed": ("sunset = 2020-01-01", ["sunset = 2020-01-01", "Remove the row"]),
    "a limit that is no number": (
        '[[callers]]\nname = "ann"\napi_key_env = "ANN"\nmax_cost_usd = nan',
        ["caller 'ann', max_cost_usd = nan", "finite"],
    ),
    "rules that shadow each other": (
        '[[rules]]\nname = "one"\nwhen = { words = ["a"] }\nthen = { stop = true }\n'
        '[[rules]]\nname = "two"\nwhen = { words = ["a"] }\nthen = { minimum_tier = "premium" }',
        ["'two' never acts", "'one'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_check_names_file_key_value_and_way_out_of_each_mistake(tmp_path, mistake):
    text, told = WRONG[mistake]
    row = '[[deployments]]\nname = "mine"\nadapter = "demo"\ntier = "economy"\n'
    (tmp_path / "weighbridge.toml").write_text(row + text + "\n", encoding="utf-8")
    done = weighbridge("check", cwd=tmp_path)
    said = done.stdout + done.stderr
    assert [word for word in told if word not in said] == [], said
    assert "weighbridge.toml" in said
    # shadowed rules are strange, and still a service that starts
    assert done.returncode == (0 if mistake == "rules that shadow each other" else 1)


def test_ten_thousand_rules_are_checked_in_seconds_and_the_wrong_one_is_named(tmp_path):
    rules = [
        f'[[rules]]\nname = "r{n}"\nwhen = {{ words = ["w{n}"] }}\nthen = {{ minimum_tier = "standard" }}'
        for n in range(10_000)
    ]
    path = tmp_path / "weighbridge.toml"
    path.write_text("\n".join(rules), encoding="utf-8")
    assert weighbridge("check", cwd=tmp_path).returncode == 0
    rules[7_000] = rules[7_000].replace('"standard"', '"standrad"')
    path.write_text("\n".join(rules), encoding="utf-8")
    done = weighbridge("check", cwd=tmp_path)
    assert done.returncode == 1
    assert "rule 'r7000', then.minimum_tier = 'standrad'" in done.stderr and "'standard'" in done.stderr


CALLED = '[[callers]]\nname = "ann"\napi_key_env = "ANN_KEY"\n'
BUDGET = '[[budgets]]\nname = "b"\nusd = 1\nper = "day"\n'


def test_check_counts_the_keys_of_callers_and_tells_the_budgets(tmp_path):
    (tmp_path / "weighbridge.toml").write_text(CALLED + BUDGET + 'caller = "ann"\n', encoding="utf-8")
    said = weighbridge("check", cwd=tmp_path, ANN_KEY="k").stdout
    assert "1 key\n" in said
    assert "budget       'b': $1 per day, caller 'ann', all deployments" in said
    assert "everyone may call" in weighbridge("check", cwd=tmp_path).stdout


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379"])
def test_check_tells_that_the_address_of_the_counters_is_none_without_showing_it(tmp_path, url):
    text = BUDGET + '[counters]\nredis_url_env = "BUDGETS_URL"\n'
    (tmp_path / "weighbridge.toml").write_text(text, encoding="utf-8")
    done = weighbridge("check", cwd=tmp_path, BUDGETS_URL=url)
    assert done.returncode == 1
    assert "BUDGETS_URL" in done.stdout and "redis://" in done.stdout
    assert not url or f"'{url}'" not in done.stdout
