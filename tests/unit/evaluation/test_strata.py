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

from sensor2sensor.config.vocabulary import TRUTH
from sensor2sensor.core import files
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


def tiny(number):
    """Cloud in the upper half, in the third tile of test on two pixels beside each other."""
    mask = np.zeros((PX, PX), np.uint8)
    mask[: PX // 2] = 1
    if number == 5:
        mask[:] = 0
        mask[8, 8:10] = 1
    return mask


def built(root, mask_of):
    """Folder and contract of a data set with a mask."""
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


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory):
    return built(tmp_path_factory.mktemp("strata"), mask_of)


@toys.Made
def coarse(tiles):
    """The truth in blocks of 4 x 4 pixels, as nearest shows it."""
    blocks = toys.truth(tiles).reshape(len(tiles), PX // 4, 4, PX // 4, 4, -1).mean(axis=(2, 4))
    return blocks.repeat(4, axis=1).repeat(4, axis=2)


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


def test_a_tile_with_two_pixels_of_a_stratum_costs_a_pair_and_no_verdict(tmp_path):
    cloudy = built(tmp_path / "data", tiny)
    evaluation = evaluate({"model": toys.noisy(0.01), "nearest": coarse}, *cloudy)
    row = evaluation.of("nearest")[2]
    assert row.pixels["cloudy"] == 2 and math.isnan(row.values["cc@cloudy"])
    gain = evaluation.gains["nearest"]["cc@cloudy"]
    assert (gain.count, gain.left_out, gain.over, gain.note) == (4, 1, "4 scenes", "")
    assert gain.verdict != "none"
    written(evaluation, cloudy, tmp_path / "out")
    inside = load(tmp_path / "out").groups[0].strata[0]
    shown = {e.label: e.table["cc@cloudy"].drop(row.name) for e in compare.entrants(inside)}
    for label, mean in compare.means(inside)["cc@cloudy"].items():
        assert mean == pytest.approx(shown[label].mean())
    assert "(4 of 5)" in compare.gain_table(inside).loc["sis2/alt6/l1", "CC ↑"]
    # A stratum excuses no method that has no value on the whole tile either.
    row.values["cc"] = math.nan
    assert replace(evaluation).gains["nearest"]["cc@cloudy"].verdict == "none"


def by_hand(mask, size):
    """Windows of some size wholly inside a mask."""
    places = np.lib.stride_tricks.sliding_window_view(mask, (size, size))
    return int(places.all(axis=(-2, -1)).sum())


def test_windows_and_zero_truth_are_counted_within_each_stratum(cloudy):
    from sensor2sensor.evaluation.scoring import Scorer

    scorer = Scorer(cloudy[1], "standard")
    target = np.full((2, PX, PX, 3), 0.3, np.float32)
    target[0, :4] = 0.0
    mask = np.stack([mask_of(0), mask_of(5)])
    for part in (slice(0, 1), slice(1, 2)):
        masks = {"cloudy": mask[part] > 0, "clear": mask[part] == 0, "snow": mask[part] == 9}
        scorer.take(scorer.see({TRUTH: target[part]}, masks))
    clouds, clear, snow = (scorer.grounds[name] for name in ("cloudy", "clear", "snow"))
    assert scorer.sam_left_out == pytest.approx(4 / 64)
    assert clouds.sam_left_out == pytest.approx(4 / 12) and clear.sam_left_out == 0.0
    sizes = {"ssim": 11, "uiqi": 8, "scc": 3}
    for name, size in sizes.items():
        assert clouds.windows[name] == by_hand(mask[0] > 0, size), name
        assert clear.windows[name] == by_hand(mask[0] == 0, size) + by_hand(mask[1] == 0, size)
    # Mirrored borders: every pixel of a whole tile is a centre, and all but one row of 12 clouded.
    assert clouds.windows["hp_l1"] == 11 * PX and clear.windows["hp_l1"] == (19 + PX) * PX
    # A kernel of 8 reaches 4 rows below its place: of 6 halved rows in cloud it fits on 2.
    assert clouds.windows["hpsi"] == 2 * PX // 2 and set(snow.windows.values()) == {0}


def test_what_is_behind_a_stratum_is_kept_and_shown(evaluation, cloudy, tmp_path):
    _, facts = written(evaluation, cloudy, tmp_path)
    kept = json.loads(facts.read_text())["strata"]["clear"]
    assert (
        kept["windows"] == dict(evaluation.grounds["clear"].windows) and kept["sam_left_out"] == 0
    )
    content = json.loads(facts.read_text())
    content["strata"]["clear"]["sam_left_out"] = 0.25
    files.write_json(facts, content)
    console = Console(file=io.StringIO(), width=160)
    show(evaluation, cloudy[1], "toy", console)
    text = " ".join(console.file.getvalue().split())
    count = kept["windows"]["ssim"]
    assert "windows wholly within 'clear': HPSI (colour)" in text and f"SSIM {count}," in text
    page = summary(load(tmp_path)).body
    assert f"SSIM {count}" in page and page.count("SAM leaves out 25 % of the pixels") == 1


def test_one_name_for_two_strata_is_an_error_of_the_contract(cloudy):
    second = CLOUD.model_copy(update={"name": "shadow", "strata": {"clear": (0,)}})
    content = cloudy[1].model_copy(update={"extras": (CLOUD, second)}).model_dump_json()
    with pytest.raises(ValidationError, match="strata clear are named by more than one extra"):
        DatasetContract.model_validate_json(content)
