"""Step 10: the notebook counts by content and names what it cannot read."""

from __future__ import annotations

import json

import nbformat
from nbclient import NotebookClient

from sensor2sensor.preprocess import tilecodes
from tests.doors import HANG_S
from tests.scripts.step_archive import SCENES, fresh_copy, scene


def test_tiles_are_counted_by_content_and_damage_is_named(tmp_path, capsys):
    env, file = fresh_copy(tmp_path)
    (env.s2_root / "deep").mkdir()
    other = scene(env.s2_root / "deep", SCENES[0], tile="T18XNA", level="L2A")
    other.rename(other.with_name("renamed.SAFE"))
    (env.s2_root / "S2B_MSIL1C_20230104T170000_N0400_R026_T17XNA_20230104T210000.zip").touch()
    (env.s2_root / "readme.txt").write_text("no product")
    found = tilecodes.count_tile_codes(env.s2_root)
    assert [(t.tile, t.products, t.l1c, t.l2a, t.first, t.last) for t in found.tiles] == [
        ("T17XNA", 2, 2, 0, "2022-12-31", "2023-01-03"),
        ("T18XNA", 1, 0, 1, "2022-12-31", "2022-12-31"),
    ]
    assert [path for path, _ in found.unreadable] == [
        "S2B_MSIL1C_20230104T170000_N0400_R026_T17XNA_20230104T210000.zip"
    ]
    assert tilecodes.main(["--environment", file]) == 1
    assert "T18XNA           1       0       1  2022-12-31" in capsys.readouterr().out
    noted = json.loads((env.inventory_dir / "tilecodes.json").read_text())
    assert [tile["tile"] for tile in noted["tiles"]] == ["T17XNA", "T18XNA"]
    assert len(noted["unreadable"]) == 1


def test_an_empty_archive_has_no_tiles(tmp_path):
    assert tilecodes.count_tile_codes(tmp_path).table() == (
        "tile      products     L1C     L2A  first       last"
    )


def test_the_notebook_runs_and_is_committed_without_outputs(tmp_path, repository, monkeypatch):
    path = repository / "preprocessing" / "10_identify_unique_tilecodes.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    env, file = fresh_copy(tmp_path)
    monkeypatch.setenv("SENSOR2SENSOR_ENVIRONMENT", file)
    client = NotebookClient(notebook, timeout=HANG_S, resources={"metadata": {"path": path.parent}})
    client.execute()
    (out,) = code[-1].outputs
    assert "T17XNA           2       2       0  2022-12-31  2023-01-03" in out.text
    assert (env.inventory_dir / "tilecodes.json").is_file()
