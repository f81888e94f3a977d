from __future__ import annotations

from pathlib import Path

import pytest

from training.config import ConfigError, TrainingConfig, load_config


def test_a_file_changes_the_defaults_and_an_option_changes_the_file(tmp_path):
    file = tmp_path / "training.toml"
    file.write_text('seed = 3\nclip = 2\nregularisation = [1.0]\noutput = "there"\n')
    found = load_config(file, seed=5, version=None)
    assert (found.seed, found.clip, found.regularisation, found.output) == (5, 2.0, (1.0,), Path("there"))
    assert found.version == TrainingConfig().version


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sede = 3", "Unknown setting 'sede'. Known: version, corpus"),
        ('seed = "7"', "seed: must be of type int, not '7'"),
        ("seed = true", "seed: must be of type int"),
        ('regularisation = ["high"]', "regularisation: must be of type float, not 'high'"),
        ("tiers = 3", "tiers: must be of type tuple"),
        ('encoder = "magic"', "'magic' is unknown. Known: static, transformer"),
        ('version = "../up"', "is not a folder name"),
        ('tiers = ["one"]', "two or more different names"),
        ("threshold = 1.0", "between 0 and 1"),
        ("regularisation = [0.0]", "numbers above 0"),
        ("folds = 1", "folds and dimensions must be 2 or more"),
        ("seed", "is not TOML"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_with_its_value(tmp_path, text, said):
    file = tmp_path / "training.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        load_config(tmp_path / "none.toml")
