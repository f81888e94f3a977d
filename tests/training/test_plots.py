from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from training.curves import cost_quality_curve
from training.plots import bars, cost_quality, grouped_bars, reliability_diagram

BINS = [{"rows": 8, "promised": 0.2, "happened": 0.25}, {"rows": 2, "promised": 0.9, "happened": 0.8}]
CURVE = cost_quality_curve(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2))
PICTURES = {
    "reliability": (lambda: reliability_diagram({"economy": BINS}), "is economy enough?"),
    "curve": (lambda: cost_quality({"classifier": CURVE}), "classifier (0.750)"),
    "bars": (lambda: bars({"typos": {"value": 0.9, "low": 0.8, "high": 1.0}}, "kept"), "typos"),
    "grouped": (lambda: grouped_bars({"classifier": {"recall": 0.5, "under": None}}, "routing"), "recall"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_readable_svg_and_the_same_bytes_each_time(name):
    draw, words = PICTURES[name]
    picture = draw()
    assert ET.fromstring(picture).tag.endswith("svg")
    assert words in picture
    assert "<dc:date>" not in picture
    assert draw() == picture


def test_a_name_without_a_figure_has_no_bar():
    picture = bars({"typos": {"value": 0.9}, "options": {"value": None}}, "kept")
    assert "typos" in picture
    assert "options" not in picture
