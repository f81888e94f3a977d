"""`weighbridge catalog` shows what a price table would change, bounds it, and pins it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from serving.errors import ConfigurationError
from serving.settings import build_catalog, pins
from serving.settings.load import load_settings, validate_text
from serving.settings.price_changes import Change, compare
from serving.settings.price_table import PriceTable
from tests.running import weighbridge

DAY = date(2026, 11, 25)
FIGURES = ("input", "output", "cached_read", "cached_write")


@pytest.fixture(scope="module")
def table():
    return PriceTable.installed()


@pytest.fixture(scope="module")
def known(table):
    """What the installed table says of a deployment of the defaults."""
    settings = validate_text("", "t")
    row = next(row for row in settings.deployments if row.name == "claude-sonnet-5.5")
    return table.figures(row, DAY)


def settings_file(folder, known, **changes):
    """Write a row that is as the table says, but for the changes."""
    stands = {name: str(value) for name, value in known.items()} | changes
    lines = [
        '[[deployments]]\nname = "mine"\nmodel = "claude-sonnet-5-5"\nadapter = "anthropic"',
        'tier = "standard"',
        'base_url = "https://api.anthropic.com/v1"',
        *(f"{name} = {value}" for name, value in stands.items() if value is not None),
    ]
    (folder / "weighbridge.toml").write_text(
        "catalog.include_defaults = false\n" + "\n".join(lines), encoding="utf-8"
    )


def run(folder, *arguments):
    return weighbridge("catalog", *arguments, cwd=folder)


def priced(folder):
    settings = load_settings(folder / "weighbridge.toml", {})
    (row,) = build_catalog(settings, {})
    return row


def in_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return priced(folder)


def test_a_row_that_says_what_the_table_says_differs_in_nothing(tmp_path, known):
    settings_file(tmp_path, known)
    done = run(tmp_path, "diff")
    assert done.returncode == 0, done.stderr
    assert "1 deployments compared, 0 figures differ" in done.stdout and "genai-prices" in done.stdout


def test_a_difference_is_shown_and_only_sync_puts_it_into_force(tmp_path, known, monkeypatch):
    price = known["usd_per_million_input"]
    settings_file(tmp_path, known, usd_per_million_input=price * 2, usd_per_million_cached_read=None)
    done = run(tmp_path, "diff")
    assert done.returncode == 1
    assert "usd_per_million_input" in done.stdout and "(-50%)" in done.stdout
    assert "usd_per_million_cached_read" in done.stdout and "unknown ->" in done.stdout
    assert in_folder(tmp_path, monkeypatch).usd_per_million_input == price * 2
    done = run(tmp_path, "sync")
    assert done.returncode == 0 and "Pinned 2 figures" in done.stdout
    row = priced(tmp_path)
    assert row.usd_per_million_input == price
    assert row.usd_per_million_cached_read == known["usd_per_million_cached_read"]
    kept = json.loads((tmp_path / "weighbridge-data" / "prices.json").read_text())
    assert kept["source"].startswith("genai-prices") and kept["pinned_at"].startswith("20")


def test_a_pin_ends_where_the_row_says_something_new(tmp_path, known, monkeypatch):
    price = known["usd_per_million_input"]
    settings_file(tmp_path, known, usd_per_million_input=price * 2)
    run(tmp_path, "sync")
    settings_file(tmp_path, known, usd_per_million_input=price * 3)
    assert in_folder(tmp_path, monkeypatch).usd_per_million_input == price * 3
    assert "1 deployments pinned" in weighbridge("check", cwd=tmp_path).stdout
    assert "overtaken by their rows: mine" in weighbridge("check", cwd=tmp_path).stdout


@pytest.mark.parametrize("factor", [10, Decimal("0.1"), 0])
def test_a_change_that_is_too_great_is_left_until_it_is_accepted(tmp_path, known, monkeypatch, factor):
    price = known["usd_per_million_output"]
    settings_file(tmp_path, known, usd_per_million_output=price * factor)
    done = run(tmp_path, "sync")
    assert done.returncode == 1
    assert "OUT OF BOUNDS" in done.stdout and "--accept" in done.stdout
    assert in_folder(tmp_path, monkeypatch).usd_per_million_output == price * factor
    assert run(tmp_path, "sync", "--accept", "mine").returncode == 0
    assert priced(tmp_path).usd_per_million_output == price


@pytest.mark.parametrize(
    ("figure", "was", "now", "within"),
    [
        ("usd_per_million_input", "1", "3", True),
        ("usd_per_million_input", "1", "3.1", False),
        ("usd_per_million_input", "3.1", "1", False),
        ("usd_per_million_input", "0", "1", False),
        ("usd_per_million_input", "1", "0", False),
        ("usd_per_million_input", None, "1", True),
        ("usd_per_million_input", None, "0", False),
        ("context_window_tokens", "2000", "1000", True),
        ("context_window_tokens", "1000", "1001", False),
    ],
)
def test_what_becomes_free_or_grows_a_window_is_never_within_bounds(figure, was, now, within):
    change = Change("a", figure, None if was is None else Decimal(was), Decimal(now))
    assert change.is_within(3.0) == within


def test_an_unknown_deployment_is_told_with_the_closest_name(tmp_path, known):
    settings_file(tmp_path, known)
    for arguments in (["diff", "mien"], ["sync", "--accept", "mien"]):
        done = run(tmp_path, *arguments)
        assert done.returncode == 1 and "Did you mean 'mine'" in done.stderr


def test_rows_that_no_table_knows_are_told_and_local_ones_are_among_them(table):
    found = compare(validate_text("", "t").deployments, table, DAY)
    assert "ollama-gpt-oss-20b" in found.unknown
    assert found.compared >= 20
    assert not any(change.deployment.startswith("demo") for change in found.changes)


def test_a_price_that_rises_with_length_ends_the_window_there(table):
    rows = {row.name: row for row in validate_text("", "t").deployments}
    assert table.figures(rows["gpt-6-luna"], DAY)["context_window_tokens"] == 272_000


PINNING = '{"deployments": {"a": {"address": "", "was": {}, "now": {NOW}}}}'


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        '{"schema": "other/1"}',
        PINNING.replace("NOW", '"x": "1"'),
        PINNING.replace("NOW", '"usd_per_million_input": "-1"'),
        PINNING.replace("NOW", '"usd_per_million_input": "NaN"'),
    ],
)
def test_a_damaged_file_of_pins_is_refused_with_the_way_out(tmp_path, content):
    path = tmp_path / "prices.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"catalog\.prices.*Delete it and run"):
        pins.read(path)


def test_a_price_that_is_announced_to_rise_counts_already(table):
    rows = {row.name: row for row in validate_text("", "t").deployments}
    assert table.figures(rows["gemini-3.8-flash"], DAY)["usd_per_million_input"] == Decimal("1.5")
