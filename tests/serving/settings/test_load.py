"""Every wrong file is told whole: which key, which value, and the way out; and no secret is ever shown."""

from __future__ import annotations

import tomllib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.errors import ConfigurationError
from serving.settings import Settings, load_settings
from serving.settings.load import DEFAULTS_FILE, validate_text
from serving.settings.template import template

ROW = '[[deployments]]\nname = "mine"\nadapter = "demo"\ntier = "economy"\n'
BUDGET = '[[budgets]]\nname = "team"\nusd = 5\nper = "day"\n'
CALLER = '[[callers]]\nname = "ann"\napi_key_env = "ANN"\n'
RULE = '[[rules]]\nname = "r"\nwhen = { words = ["a"] }\n'
REMOTE = '[[deployments]]\nname = "far"\nadapter = "openai_compatible"\ntier = "premium"\n'


@pytest.fixture
def load(tmp_path):
    def from_text(text):
        path = tmp_path / "team.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_settings(path, {})

    return from_text


@pytest.fixture
def complaint(load):
    def of(text):
        with pytest.raises(ConfigurationError) as refused:
            load(text)
        return refused.value.message

    return of


def test_without_a_file_the_defaults_are_in_force(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = load_settings(None, {})
    assert (found.server.host, found.server.port, found.log.prompts) == ("127.0.0.1", 8080, "none")
    assert found.source == "the built-in defaults"


def test_the_usual_file_in_the_working_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weighbridge.toml").write_text("server.port = 9")
    assert load_settings(None, {}).server.port == 9


def test_the_environment_may_name_the_file_and_the_command_line_overrules_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for port, name in enumerate(("weighbridge.toml", "named.toml", "given.toml"), start=1):
        (tmp_path / name).write_text(f"server.port = {port}")
    environ = {"WEIGHBRIDGE_CONFIG": str(tmp_path / "named.toml")}
    assert load_settings(None, environ).server.port == 2
    assert load_settings(tmp_path / "given.toml", environ).server.port == 3


def test_tables_merge_key_by_key(load):
    found = load("[policy]\nusd_per_second = 1\n[quality_prior.economy]\npremium = 0.1\n")
    assert found.policy.usd_per_second == 1.0
    assert found.policy.quality_floor == 0.7
    assert found.quality_prior["economy"] == {"economy": 0.95, "standard": 0.55, "premium": 0.1}


def test_a_row_of_the_team_joins_the_built_in_ones(load):
    names = [row.name for row in load(ROW).deployments]
    assert names[-1] == "mine"
    assert "demo-premium" in names


def test_a_row_of_the_same_name_replaces_the_built_in_one_whole(load):
    found = load(ROW.replace("mine", "demo-premium"))
    (row,) = [row for row in found.deployments if row.name == "demo-premium"]
    assert (row.tier, row.usd_per_million_input, row.capabilities) == ("economy", None, ())


def test_the_built_in_deployments_can_be_left_out(load):
    assert [row.name for row in load(f"catalog.include_defaults = false\n{ROW}").deployments] == ["mine"]


def test_a_file_with_a_byte_order_mark_is_read(load):
    assert load(b"\xef\xbb\xbfserver.port = 9").server.port == 9


def test_settings_cannot_be_changed(load):
    with pytest.raises(ValueError, match="frozen"):
        load("").server.port = 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("server.prot = 1", ["server.prot", "unknown key", "'port'"]),
        ("sever = 1", ["sever", "'server'"]),
        ("server = 3", ["server = 3", "table"]),
        ('server.port = "80"', ["server.port = '80'", "whole number"]),
        ("server.port = true", ["server.port = True", "whole number"]),
        ("server.port = 70000", ["server.port = 70000", "65535"]),
        ('server.host = ""', ["server.host", "empty"]),
        ("server.port = 0x" + "f" * 6_000, ["server.port", "65535"]),
        ("policy.usd_per_second = -1", ["policy.usd_per_second = -1", "0"]),
        ("policy.usd_per_second = nan", ["policy.usd_per_second = nan", "finite"]),
        ("policy.usd_per_lost_quality = inf", ["usd_per_lost_quality = inf", "finite"]),
        ("policy.quality_floor = 1.5", ["quality_floor = 1.5", "1"]),
        ('log.prompts = "yes"', ["log.prompts = 'yes'", "'none'", "'text'"]),
        ('log.path = ""', ["log.path", "must name a file"]),
        ('log.path = "a\\u0000b"', ["log.path", "must name a file"]),
        ("dispatch.demo_speed = 0", ["dispatch.demo_speed = 0", "greater than 0"]),
        ('catalog.include_defaults = "no"', ["include_defaults = 'no'", "true or false"]),
        ("quality_prior = 3", ["quality_prior = 3", "1 problem"]),
        ("[quality_prior.mega]\nmega = 0.9", ["quality_prior", "mega", "each tier needs a row"]),
        ("quality_prior.economy.economy = 2", ["quality_prior.economy.economy = 2"]),
        ("deployments = 1", ["deployments", "[[deployments]]"]),
        ("[deployments]\nname = 'x'", ["deployments", "[[deployments]]"]),
        ("deployments = [1]", ["deployments, row 1", "table"]),
        ("[[deployments]]\nadapter = 'demo'", ["deployments, row 1, name", "missing"]),
        (ROW + ROW, ["'mine'", "2 times"]),
        (ROW.replace("mine", "auto"), ["'auto'", "another name"]),
        (ROW.replace("mine", "my model"), ["'my model'", "ASCII"]),
        (ROW.replace("mine", "mödel"), ["ASCII"]),
        (ROW.replace("demo", "dmeo"), ["adapter", "'dmeo'", "Did you mean 'demo'"]),
        (ROW.replace("economy", "premum"), ["tier", "Did you mean 'premium'"]),
        (ROW + "context_window_tokens = 0", ["deployment 'mine', context_window_tokens = 0"]),
        (ROW + "usd_per_million_input = -0.1", ["usd_per_million_input = -0.1"]),
        (ROW + "usd_per_million_output = inf", ["usd_per_million_output = inf", "finite"]),
        (ROW + "usd_per_million_cached_read = -0.1", ["usd_per_million_cached_read = -0.1"]),
        (ROW + "usd_per_million_input = 0.0000001", ["usd_per_million_input = 1e-07", "6 decimals"]),
        (ROW + 'usd_per_million_input = "1"', ["usd_per_million_input = '1'", "without quotes"]),
        (ROW + "usd_per_million_input = 1e9", ["usd_per_million_input", "100000"]),
        (ROW + "retention_days = -1", ["retention_days = -1"]),
        (ROW + 'sunset = "2020-01-01"', ["sunset = '2020-01-01'", "without quotes"]),
        (ROW + "released = 2026-02-01\nsunset = 2026-01-01", ["sunset", "released = 2026-02-01"]),
        (ROW + "quality = { economy = 1.1 }", ["quality.economy = 1.1"]),
        (ROW + "quality = { easy = 1 }", ["quality", "'easy'", "economy, standard, premium"]),
        (ROW + 'capabilities = ["visoin"]', ["capabilities", "Did you mean 'vision'"]),
        (ROW + 'capabilities = "tools"', ["capabilities", "list"]),
        (ROW + 'compliance = ["gpdr"]', ["compliance", "Did you mean 'gdpr'", "'x-'"]),
        (ROW + 'compliance = ["x-"]', ["compliance", "'x-'"]),
        (ROW + 'compliance = ["gdrp"]', ["deployment 'mine', compliance", "'gdrp'", "Did you mean 'gdpr'"]),
        (ROW + 'compliance = ["retention_days<=30"]', ["compliance", "'retention_days<=30'"]),
        ('sensitive.card = ["pci_ds"]', ["sensitive.card", "Did you mean 'pci_dss'"]),
        ('sensitive.card = ["retention_days<=x"]', ["sensitive.card", "'retention_days<=x'"]),
        (CALLER + "max_cost_usd = nan", ["caller 'ann', max_cost_usd = nan", "finite"]),
        (CALLER + "max_latency_ms = inf", ["caller 'ann', max_latency_ms = inf", "finite"]),
        (CALLER + "quality_floor = nan", ["caller 'ann', quality_floor = nan", "finite"]),
        (RULE + "then = { max_cost_usd = nan }", ["rule 'r', then.max_cost_usd = nan", "finite"]),
        (RULE + "then = { max_first_token_ms = -1 }", ["rule 'r', then.max_first_token_ms = -1"]),
        (RULE + 'then = { compliance = ["gdrp"] }', ["rule 'r', then.compliance", "'gdpr'"]),
        (REMOTE, ["deployment 'far', base_url", "https://"]),
        (REMOTE + 'base_url = "ftp://a.b"', ["base_url", "https://"]),
        (REMOTE + 'base_url = "https://a.b:99999"', ["base_url", "https://"]),
        (REMOTE + 'base_url = "https://[::1"', ["base_url", "https://"]),
        (REMOTE + 'base_url = "https://a.b/ c"', ["base_url", "https://"]),
        (BUDGET.replace("5", "0"), ["budget 'team', usd = 0", "greater than 0"]),
        (BUDGET.replace("5", "nan"), ["budget 'team', usd = nan", "finite"]),
        (BUDGET.replace("5", "2e6"), ["budget 'team', usd = 2000000.0", "1000000"]),
        (BUDGET.replace("day", "week"), ["budget 'team', per = 'week'", "'hour', 'day' or 'month'"]),
        (BUDGET + BUDGET, ["budgets", "'team'", "2 times"]),
        (BUDGET + 'caller = "nobody"', ["budget 'team', caller", "'nobody'", "[[callers]]"]),
        (BUDGET + 'deployments = ["demo-premum"]', ["deployments", "Did you mean 'demo-premium'"]),
        (BUDGET + "deployments = []", ["budget 'team', deployments", "Leave it out"]),
        (BUDGET + "usd_cap = 3", ["budget 'team', usd_cap", "unknown key", "'usd'"]),
        ('counters.redis_url_env = "redis://:secret@h/0"', ["counters.redis_url_env", "in capitals"]),
        ("counters.timeout_ms = 0", ["counters.timeout_ms = 0"]),
        ("\nserver.port = \nx = 1", ["not valid TOML", "line 2"]),
        ("a = " + "[" * 100_000, ["not valid TOML"]),
        (b"server.port = 9\n# caf\xe9", ["line 2", "UTF-8"]),
        (b"\x00\x01", ["not valid TOML"]),
    ],
)
def test_a_wrong_file_is_told_with_key_and_value(complaint, text, words):
    message = complaint(text)
    assert "team.toml" in message
    assert [word for word in words if word not in message] == []


def test_all_problems_are_told_at_once(complaint):
    message = complaint(
        f"server.port = -1\npolicy.quality_floor = 2\n{ROW}context_window_tokens = 0\nwindow = 1\n"
    )
    assert "4 problems" in message


@pytest.mark.parametrize(
    "text",
    [
        REMOTE + 'base_url = "https://a.b"\napi_key_env = "sk-secret-1"',
        REMOTE + 'base_url = "https://a.b"\napi_key = "sk-secret-1"',
        REMOTE + 'base_url = "https://user:sk-secret-1@a.b"',
        REMOTE + 'base_url = "https://a.b/v1?key=sk-secret-1"',
        'server.api_keys_env = "sk-secret-1"',
        'server.api_keys = ["sk-secret-1"]',
    ],
)
def test_a_key_in_the_wrong_place_is_never_shown(load, text):
    with pytest.raises(ConfigurationError) as refused:
        load(text)
    error = refused.value
    assert "sk-secret-1" not in error.message
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_missing_file_says_how_to_write_one(tmp_path):
    with pytest.raises(ConfigurationError, match="weighbridge init"):
        load_settings(tmp_path / "none.toml", {})


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path, {})


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.one_of(st.integers(), st.booleans(), st.floats(), st.text(max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "port", "x"]), inner)
        ),
        max_leaves=6,
    ),
    st.sampled_from([*Settings.model_fields, "unknown"]),
)
def test_whatever_a_section_holds_is_accepted_or_told(value, section):
    try:
        validate_text(f"{section} = {_toml(value)}", "any.toml")
    except ConfigurationError as error:
        assert "any.toml" in error.message


def _toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return repr(value)


def test_the_template_holds_and_changes_nothing():
    found = validate_text(template(), "template")
    assert found.model_dump() == validate_text("", "nothing").model_dump()


# Tables of rows that the template shows by an example.
_EXAMPLES: dict[str, list[object]] = {"deployments": [], "callers": [], "rules": [], "budgets": []}


def test_every_line_of_the_template_may_be_switched_on():
    switched_on = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in template().splitlines()
    )
    found = tomllib.loads(switched_on)
    defaults = tomllib.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))
    assert found | _EXAMPLES == defaults | _EXAMPLES
    assert validate_text(switched_on, "template").deployments[-1].name == found["deployments"][0]["name"]


def test_every_default_is_explained_beside_it():
    lines = DEFAULTS_FILE.read_text(encoding="utf-8").split("\n[quality_prior.economy]")[0].splitlines()
    unexplained = [
        line
        for above, line in pairwise(lines)
        if " = " in line and not line.startswith("#") and not above.startswith("#")
    ]
    assert unexplained == []
