"""summary_eval.ipynb runs on a small folder, holds no logic and exports to HTML that shows it
all."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.doors import HANG_S
from tests.unit.report import folders

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def source(repository):
    return nbformat.read(repository / "summary_eval.ipynb", as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_stored_without_outputs(source):
    nbformat.validate(source)
    for cell in code(source):
        assert cell.outputs == [] and cell.execution_count is None


def test_it_calls_the_report_and_nothing_else(source):
    allowed = (ast.ImportFrom, ast.Assign, ast.Expr)
    for cell in code(source):
        tree = ast.parse(cell.source)
        assert all(isinstance(node, allowed) for node in tree.body), cell.source
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.module == "sensor2sensor"
                assert [alias.name for alias in node.names] == ["report"]
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func).startswith("report."), ast.unparse(node)


@pytest.fixture(scope="module")
def executed(source, repository, tmp_path_factory):
    root = tmp_path_factory.mktemp("notebook")
    folder = root / "experiments" / "_evaluation"
    folders.add(folder, "sis2/good", 0.7)
    folders.add(folder, "sis2/bad", 0.2)
    folders.add(folder, "sis2/good", 0.7, profile="arisgan")
    (folder / "broken.json").write_text("{")
    (root / "environment.json").write_text("{}")
    before = os.environ.get("SENSOR2SENSOR_ENVIRONMENT")
    os.environ["SENSOR2SENSOR_ENVIRONMENT"] = str(root / "environment.json")
    try:
        notebook = nbformat.reads(nbformat.writes(source), as_version=4)
        resources = {"metadata": {"path": str(repository)}}
        client = NotebookClient(
            notebook, timeout=HANG_S, kernel_name="python3", resources=resources
        )
        client.execute()
    finally:
        if before is None:
            del os.environ["SENSOR2SENSOR_ENVIRONMENT"]
        else:
            os.environ["SENSOR2SENSOR_ENVIRONMENT"] = before
    return notebook


def test_every_cell_shows_its_piece(executed):
    shown = ["".join(o["data"].get("text/html", "") for o in cell.outputs if "data" in o)
             for cell in code(executed)]  # fmt: skip
    assert all(piece for piece in shown[1:])
    assert "broken.json" in shown[1]
    assert "sis2/good" in shown[2] and "± " in shown[2]
    assert "✓" in shown[3] and "data:image/png" in shown[3]


def test_the_exported_page_renders_in_a_browser(executed, tmp_path):
    body, _ = HTMLExporter().from_notebook_node(executed)
    page = tmp_path / "summary_eval.html"
    page.write_text(body, encoding="utf-8")
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        assert not os.environ.get("CI"), "Chromium is not installed"
        pytest.skip("Chromium is not installed")
    script = "<script>onload=()=>{document.title=[...document.images].filter(i=>i.naturalWidth>50)"
    page.write_text(body + script + ".length+' pictures'}</script>", encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=HANG_S, check=True,
    )  # fmt: skip
    # Two groups with a box plot and a gain plot each, and a gallery picture for each of three runs.
    assert "<title>7 pictures</title>" in done.stdout
