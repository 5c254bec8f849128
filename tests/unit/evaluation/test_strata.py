"""Metrics within a mask of the data set: other pixels are as if nobody had seen them."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from rich.console import Console

from sensor2sensor.dataset.build import finish
from sensor2sensor.dataset.contract import DatasetContract, ExtraSpec, load_contract
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.tables import show
from sensor2sensor.metrics import compute, profile_metrics
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.report import compare, load, summary
from tests import fakes_dataset as fakes
from tests.unit.evaluation import toys

PX, MARGIN = 32, fakes.MARGIN_PX
CLOUD = ExtraSpec(
    name="cloud", dtype="uint8", shape=(PX, PX), unit="1", role="mask",
    strata={"cloudy": (1, 2), "clear": (0,), "snow": (9,)},
)  # fmt: skip
SPLITS = ("train", "train", "val", *["test"] * 5)


def mask_of(number):
    """Thin and thick cloud in the upper rows, more from tile to tile; none in the third of test."""
    mask = np.zeros((PX, PX), np.uint8)
    if number != 5:
        mask[: 12 + number] = 1
        mask[:8] = 2
    return mask


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory):
    """Folder and contract of a data set with a mask."""
    root = tmp_path_factory.mktemp("strata")
    draft = fakes.toy_contract("toy", "degraded", 4, PX, 0)
    draft, rows = draft.model_copy(update={"extras": (CLOUD,)}), []
    for number, split in enumerate(SPLITS):
        wide = fakes.scene(np.random.default_rng(number), PX + 2 * MARGIN)
        target = wide[MARGIN:-MARGIN, MARGIN:-MARGIN]
        record = fakes._degraded(f"toy__{number:05d}", target, wide, 4)
        record = replace(record, extras={"cloud": mask_of(number)})
        rows.append(fakes._write(root, draft, record, split, number))
    finish(root, draft, rows, provenance={})
    return root, load_contract(root)


@toys.Made
def bad_below_clouds(tiles):
    """The truth with noise, and three times as much of it below clouds."""
    clouds = np.stack([tile.extras["cloud"] > 0 for tile in tiles])[..., None]
    off = toys.noisy(0.02)(tiles) - toys.truth(tiles)
    return toys.truth(tiles) + off * np.where(clouds, 3.0, 1.0).astype(np.float32)


@pytest.fixture(scope="module")
def evaluation(cloudy):
    predictors = {"model": bad_below_clouds, "nearest": toys.noisy(0.1)}
    return evaluate(predictors, *cloudy, batch_size=2)


def written(evaluation, cloudy, folder):
    named = {"nearest": toys.noisy(0.1)}
    return write(evaluation, folder, toys.subject(), cloudy[1], baselines=named)


def test_a_stratum_is_scored_as_if_nothing_else_had_been_seen(evaluation, cloudy):
    tile = next(iterate_tiles(*cloudy, "test"))
    truth = np.where((mask_of(3) > 0)[..., None], tile.target, np.nan)[None]
    options = {"value_ranges": cloudy[1].target_ranges(), "factor": 4.0, "colour": (2, 1, 0)}
    expected = compute(truth, bad_below_clouds([tile]), **options)
    row = evaluation.of("model")[0]
    assert row.pixels == {"cloudy": 15 * PX, "clear": 17 * PX, "snow": 0}
    for name in profile_metrics("standard"):
        if name != "lsd_hf":
            assert row.values[f"{name}@cloudy"] == pytest.approx(float(expected[name][0]))
    error = (bad_below_clouds([tile])[0] - tile.target)[15:]
    by_hand = math.sqrt(np.mean(np.square(error.astype(np.float64))))
    assert row.values["rmse@clear"] == pytest.approx(by_hand)


def test_a_tile_without_such_pixels_has_no_value_and_is_in_no_statistic(evaluation):
    row = evaluation.of("model")[2]
    assert row.pixels == {"cloudy": 0, "clear": PX * PX, "snow": 0}
    inside = [value for name, value in row.values.items() if name.endswith("@cloudy")]
    assert inside and all(math.isnan(value) for value in inside)
    rmse = evaluation.summary["model"]["rmse@cloudy"]
    assert (rmse.count, rmse.undefined) == (4, 0)
    assert rmse.mean > 2 * evaluation.summary["model"]["rmse@clear"].mean
    gain = evaluation.gains["nearest"]["rmse@cloudy"]
    assert (gain.count, gain.left_out, gain.over) == (4, 0, "4 scenes")


def test_spectra_of_a_part_of_an_image_are_left_out(evaluation, cloudy):
    assert "lsd_hf" in evaluation.metrics and "lsd_hf@clear" not in evaluation.columns
    published = evaluate({"model": bad_below_clouds}, *cloudy, profile="arisgan", limit=1)
    assert published.columns == published.metrics


def test_whole_tiles_are_scored_as_ever(evaluation, cloudy):
    blind = cloudy[1].model_copy(update={"extras": (CLOUD.model_copy(update={"strata": {}}),)})
    plain = evaluate(
        {"model": bad_below_clouds, "nearest": toys.noisy(0.1)}, cloudy[0], blind, batch_size=2
    )
    assert plain.columns == plain.metrics == evaluation.metrics
    for one, other in zip(plain.rows, evaluation.rows, strict=True):
        assert one.values == {name: other.values[name] for name in plain.metrics}


def test_the_files_hold_scores_pixels_and_definitions(evaluation, cloudy, tmp_path):
    table, facts = written(evaluation, cloudy, tmp_path)
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    metrics = list(profile_metrics("standard"))
    inner = [f"{m}@{s}" for s in ("cloudy", "clear", "snow") for m in metrics if m != "lsd_hf"]
    pixels = ["pixels@cloudy", "pixels@clear", "pixels@snow"]
    assert list(rows[0]) == ["name", "scene", "split", "method", *metrics, *inner, *pixels]
    assert rows[0]["pixels@cloudy"] == str(15 * PX) and rows[2]["rmse@cloudy"] == "nan"
    content = json.loads(facts.read_text())
    cloud = content["strata"]["cloudy"]
    assert (cloud["extra"], cloud["values"], cloud["tiles"]) == ("cloud", [1, 2], 4)
    assert cloud["pixels"] == sum(int(row["pixels@cloudy"]) for row in rows[:5])
    assert content["strata"]["snow"]["pixels"] == 0 and list(content["metrics"]) == metrics


def test_printed_tables_show_the_strata_that_exist_and_their_pixels(evaluation, cloudy):
    console = Console(file=io.StringIO(), width=160)
    show(evaluation, cloudy[1], "toy", console)
    text = " ".join(console.file.getvalue().split())
    pixels, tiles = evaluation.pixels(evaluation.strata[0])
    assert f"Scores within 'cloudy': {pixels} pixels in {tiles} of 5 tiles" in text and tiles == 4
    assert "Gain of model over nearest within 'clear'" in text
    assert "no tile has a pixel within 'snow'" in text and "Scores within 'snow'" not in text


def test_the_report_shows_each_stratum_in_tables_of_its_own(evaluation, cloudy, tmp_path):
    written(evaluation, cloudy, tmp_path)
    results = load(tmp_path)
    assert not results.skipped
    group = results.groups[0]
    inside = group.strata
    assert [g.title.split(":")[0] for g in inside] == ["within 'cloudy'", "within 'clear'"]
    table = compare.summary_table(inside[0])
    assert list(table["tiles"]) == ["4", "4"] and list(table["undefined"]) == ["0", "0"]
    mean = evaluation.summary["model"]["rmse@cloudy"].mean
    cell = table.loc["sis2/alt6/l1", "RMSE ↓\n(reflectance)"]
    assert float(cell.split("\n")[0]) == pytest.approx(mean, abs=5e-4)
    assert compare.gain_table(inside[0]).shape == (1, len(profile_metrics("standard")) - 1)
    assert "HF-LSD ↓\n(dB)" in compare.summary_table(group).columns
    assert summary(results).body.count("<table>") == 3


def test_one_name_for_two_strata_is_an_error_of_the_contract(cloudy):
    second = CLOUD.model_copy(update={"name": "shadow", "strata": {"clear": (0,)}})
    content = cloudy[1].model_copy(update={"extras": (CLOUD, second)}).model_dump_json()
    with pytest.raises(ValidationError, match="strata clear are named by more than one extra"):
        DatasetContract.model_validate_json(content)
