"""hosted_gpu.ipynb runs from the first cell to the last, and goes on where a training ended."""

from __future__ import annotations

import copy
import json

import nbformat
import pytest
from nbclient import NotebookClient

from tests.doors import HANG_S

PATH = "examples/notebooks/hosted_gpu.ipynb"


@pytest.fixture(scope="module")
def source(repository):
    return nbformat.read(repository / PATH, as_version=4)


def tagged(notebook, tag):
    return next(cell for cell in notebook.cells if tag in cell.metadata.get("tags", ()))


def test_it_is_stored_without_outputs(source):
    nbformat.validate(source)
    for cell in source.cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


@pytest.mark.slow
def test_all_cells_run_and_the_training_cell_goes_on(source, repository, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    notebook = copy.deepcopy(source)
    drive, checkout = str(tmp_path / "drive"), str(repository)
    tagged(notebook, "parameters").source += f"""
MOUNT = INSTALL = TENSORBOARD = False
CODE, DRIVE, LOCAL = {checkout!r}, {drive!r}, {str(tmp_path / "near")!r}
STEPS, MINUTES = 2, 30
"""
    train = tagged(notebook, "train")
    again = copy.deepcopy(train)
    again.id, again.source = "again", f"STEPS = 3\n{train.source}"
    notebook.cells.insert(notebook.cells.index(train) + 1, again)
    NotebookClient(notebook, timeout=HANG_S, kernel_name="python3").execute()
    home = tmp_path / "drive" / "experiments" / "hosted" / "edsr"
    (run,) = (home / "logs").glob("*/run.json")  # one run: the second call was a resumption
    written = json.loads(run.read_text())
    assert (written["status"], written["step"]) == ("done", 3)
    said = ["".join(o.get("text", "") for o in cell.outputs) for cell in (train, again)]
    assert "steps 0 to 2" in said[0] and "steps 2 to 3" in said[1]
    assert all(text.rstrip().endswith("finished") for text in said)
    shown = [o.get("data", {}) for o in notebook.cells[-1].outputs]
    assert any("image/png" in data for data in shown)
    assert any("edsr" in data.get("text/html", "") for data in shown)
