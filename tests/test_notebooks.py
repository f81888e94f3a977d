"""The notebooks run from the first cell to the last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_defines_nothing_for_others(notebook, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="notebooks need the training extra")
    matplotlib.use("Agg")
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("WEIGHBRIDGE_CONFIG", raising=False)
    names: dict[str, object] = {}
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(notebook), "exec"), names)
    assert cells


def test_notebooks_are_committed_without_outputs():
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs"), f"{notebook.name} holds outputs: clear them before committing"
