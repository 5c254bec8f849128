"""Facts per tile: read from what a data set records, and nothing that it does not."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from sensor2sensor.dataset.contract import ExtraSpec
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.evaluation import tile_facts
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import Evaluation, TileScores
from sensor2sensor.evaluation.tile_facts import FactSheet
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.report import load
from tests.fakes_dataset import scene, toy_contract
from tests.unit.dataset.test_when import ROW
from tests.unit.evaluation import toys

PX = 64
MASK = ExtraSpec(
    name="mask", dtype="uint8", shape=(PX, PX), unit="1", role="mask",
    strata={"covered": (1,), "clear": (0,)},
)  # fmt: skip
NUMBERS = tuple(
    ExtraSpec(name=name, dtype="float32", shape=(), unit=unit)
    for name, unit in (("days", "d"), ("correlation", "1"))
)
PLACE = ExtraSpec(name="place", dtype="string", shape=(), unit="1")


def paired(extras=()):
    """A contract whose input is a picture on the target's grid."""
    made = toy_contract("toy", "degraded", 6, PX, 0)
    given = {"layout": "dense", "grid": None, "bands": made.target.bands}
    changes = {"kind": "paired", "factor": 1.0, "extras": extras, "degradation": None}
    return made.model_copy(update={**changes, "input": made.input.model_copy(update=given)})


def record(name, moved=0, **extras):
    wide = scene(np.random.default_rng(3), PX + 16)
    target, seen = wide[8:-8, 8:-8], wide[8 - moved : 8 - moved + PX, 8:-8]
    return dense_record(name, target, seen, extras)


def facts(monkeypatch, tmp_path, contract, rows, tiles, **options):
    """Rows of the table by name, read as a report does."""
    monkeypatch.setattr(tile_facts, "read_split", lambda folder: rows)
    sheet = FactSheet(tmp_path / "data" / "toy" / str(PX), contract, **options)
    sheet.see(sheet.measured(tiles))
    told = sheet.write(tmp_path, "a")
    with (tmp_path / told["file"]).open(newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}, told["columns"]


def test_what_a_tile_records_becomes_a_column_and_what_is_unknown_an_empty_cell(
    monkeypatch, tmp_path
):
    place = {"epsg": 32721, "ulx_m": 5e5, "uly_m": 6.5e6}
    rows = [
        replace(ROW, name="a", overpass="S2A_20230115T100000", block="r1c1+r1c2", **place),
        replace(ROW, name="b", inventory="inv", scene=7, block="r2c2"),
    ]
    covered = np.zeros((PX, PX), np.uint8)
    covered[:16] = 1
    own = {"mask": covered, "days": np.float32(-2), "correlation": np.float32(0.5)}
    other = {**own, "days": np.float32("nan"), "mask": 0 * covered, "place": np.array("x")}
    tiles = [record("a", moved=3, **own, place=np.array("Paraná")), record("b", **other)]
    contract = paired((MASK, *NUMBERS, PLACE))
    seen = {"a": True, "b": None}
    told = {"seen": seen, "shown": {"a": False, "b": True}}
    found, columns = facts(monkeypatch, tmp_path, contract, rows, tiles, **told)
    assert found["a"] == {
        "name": "a", "scene": "S2A_20230115T100000", "block": "r1c1", "date": "2023-01-15",
        "season": "summer", "time_difference_h": "-48.0", "shift_px": found["a"]["shift_px"],
        "cloud_share": "0.25", "seen_in_training": "true", "seen_in_validation": "false",
        "share@covered": "0.25", "share@clear": "0.75", "correlation": "0.5", "place": "Paraná",
    }  # fmt: skip
    assert abs(float(found["a"]["shift_px"]) - 3) < 0.3
    assert abs(float(found["b"]["shift_px"])) < 0.3
    unknown = ("date", "season", "time_difference_h", "seen_in_training")
    assert [found["b"][name] for name in unknown] == [""] * 4
    assert found["b"]["seen_in_validation"] == "true"
    assert found["b"]["scene"] == "inv/7" and found["b"]["cloud_share"] == "0.0"
    assert list(found["a"]) == list(columns) and columns["place"]["kind"] == "text"


def test_step_40_tells_clouds_of_the_very_files_that_records_are_made_of(monkeypatch, tmp_path):
    folder = tmp_path / "data" / "_tif" / "inv" / str(PX)
    folder.mkdir(parents=True)
    lines = ["tile,sha256,cloud_fraction,inside_mask", "x,aa,0.125,true", "y,other,0.5,false"]
    (folder / "tiles.csv").write_text("\n".join(lines))
    rows = [replace(ROW, name=n, source_sha256=s, time_gap_h=0.5, shift_m=15.0)
            for n, s in (("a", "aa"), ("b", "bb"))]  # fmt: skip
    contract = paired()
    found, _ = facts(monkeypatch, tmp_path, contract, rows, [record("a"), record("b")])
    assert [found["a"][n] for n in ("cloud_share", "inside_mask")] == ["0.125", "true"]
    # Cut anew since the data set was built: it may be another tile.
    assert [found["b"][n] for n in ("cloud_share", "inside_mask")] == ["", ""]
    assert {row["shift_px"] for row in found.values()} == {"1.5"}
    assert {row["time_difference_h"] for row in found.values()} == {"0.5"}
    # A table that somebody damaged costs no evaluation.
    (folder / "tiles.csv").write_text(lines[0] + "\nx,aa,cloudy,true")
    found, columns = facts(monkeypatch, tmp_path, contract, rows, [record("a")])
    assert "cloud_share" not in columns and found["a"]["shift_px"] == "1.5"
    # An input made of its target was there when the target was.
    degraded = contract.model_copy(update={"kind": "degraded"})
    found, columns = facts(monkeypatch, tmp_path, degraded, rows, [record("a")])
    assert not {"shift_px", "time_difference_h"} & set(columns)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with one evaluation and its facts per tile."""
    folder, place = tmp_path_factory.mktemp("facts"), toys.dataset("sentinel3")
    sheet, tiles = FactSheet(*place), list(iterate_tiles(*place, "test"))
    sheet.see(sheet.measured(tiles))
    # Made-up scores: what they are is not looked at, and computing them takes longer.
    rows = tuple(TileScores(t.name, f"inv_toy/{i}", "b", "test", "model", {"ssim": 0.5}, "ordinary")
                 for i, t in enumerate(tiles, start=8))  # fmt: skip
    scored = Evaluation(rows, ("model",), ("ssim",), "standard", "test", 0)
    write(scored, folder, toys.subject(seed=3), place[1], baselines={}, facts=sheet)
    return folder


def test_the_report_reads_the_facts_that_the_json_vouches_for(written):
    (result,) = load(written).results
    assert not load(written).skipped
    table, why = result.tile_facts.table, result.tile_facts.why
    assert list(table.index) == list(result.table["name"]) and why == ""
    assert (
        list(table["time_difference_h"]) == [1.5] * 5 and table["time_difference_h"].dtype == float
    )
    assert list(table["scene"]) == list(result.table["scene"])
    told = result.facts.tile_facts
    path = written / told.file
    assert told.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and told.rows == 5
    assert result.facts.seed == 3


def test_facts_that_are_gone_or_changed_cost_no_score(written):
    (result,) = load(written).results
    path = written / result.facts.tile_facts.file
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.5", b"2.5"))
    try:
        (again,) = load(written).results
        assert again.tile_facts.table is None
        assert "is not the table written with it; run evaluate.py again" in again.tile_facts.why
        path.unlink()
        (again,) = load(written).results
        assert "are missing" in again.tile_facts.why and len(again.table) == 5
    finally:
        path.write_bytes(content)


def test_an_evaluation_from_before_has_none_and_a_lost_one_is_told_once(written, tmp_path):
    (path,) = written.glob("*.json")
    facts = json.loads(path.read_text())
    for key in ("tile_facts", "seed", "recipe", "scored_on", "fixed"):
        facts.pop(key, None)
    for old in written.glob("*.csv"):
        (tmp_path / old.name).write_bytes(old.read_bytes())
    (tmp_path / path.name).write_text(json.dumps(facts))
    (result,) = load(tmp_path).results
    assert result.tile_facts.why == "no facts per tile; run evaluate.py again"
    (tmp_path / path.name).unlink()
    assert [one.path.name for one in load(tmp_path).skipped] == [path.with_suffix(".csv").name]
