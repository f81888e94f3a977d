"""The shipped artifact, loaded once: what people run is what is tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifier.artifact import bundled_models, champion_folder
from classifier.tier_classifier import TierClassifier


@pytest.fixture(scope="session")
def artifact() -> Path:
    return champion_folder(bundled_models())


@pytest.fixture(scope="session")
def classifier(artifact: Path) -> TierClassifier:
    return TierClassifier.load(artifact)
