"""What no step of a retraining could use is refused before any begins, by its name."""

from __future__ import annotations

import pytest

from training.config import ConfigError
from training.retrain_config import load_retrain_config


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[retrain]\nfeedback_weight = nan\n", "feedback_weight"),
        ("[retrain]\nheld_out_share = 1\n", "held_out_share"),
        ("[retrain]\nleast_groups = 0\n", "least_groups"),
        ('[retrain]\nmost_far = "half"\n', "most_far"),
        ("[feedback]\nkey_share = 0\n", "key_share"),
        ("[feedback]\nmost_weight = nan\n", "most_weight"),
        ("[feedback]\ngood_from = 0.4\n", "good_from"),
        ("[feedback]\ncomparison_weight = -1\n", "comparison_weight"),
        ("[feedback]\nbest = 1\n", "best"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(tmp_path, text, named):
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_retrain_config(tmp_path / "settings.toml", exports=(), models=tmp_path)
