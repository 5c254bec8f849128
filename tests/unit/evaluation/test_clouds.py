"""Profile dsen2cr from predictors to the files: parts, pooled scores, what holds by definition."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from sensor2sensor.config.vocabulary import CLOUD_TABLE
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.tables import show, stronger
from sensor2sensor.metrics import support
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.baselines import DoNothing
from sensor2sensor.predictors.draws import Draws
from sensor2sensor.predictors.registry import baselines
from tests.fakes_clouds import make_clouds
from tests.unit.evaluation import toys

PARTS = {"reconstruction": "covered", "reproduction": "clear", "clear": "clear"}
MARKS = tuple(f"@{part}" for part in PARTS)


@pytest.fixture(scope="module")
def clouds(tmp_path_factory):
    folder = make_clouds(tmp_path_factory.mktemp("clouds"))
    return folder, load_contract(folder)


@pytest.fixture(scope="module")
def tiles(clouds):
    return list(iterate_tiles(*clouds, "test"))


def predictors(clouds):
    return {"model": toys.noisy(0.02), **baselines(*clouds)}


@pytest.fixture(scope="module")
def evaluation(clouds):
    return evaluate(predictors(clouds), *clouds, profile="dsen2cr", batch_size=2)


def of_part(tile, mark):
    """What predictions are held against there, and where, of one tile."""
    mask = tile.extras["cloud_mask"]
    whole = np.ones(mask.shape, bool)
    here = {"": whole, "@reconstruction": mask > 0}.get(mark, mask == 0)
    return (tile.input_dense[..., 1:] if mark == "@reproduction" else tile.target), here


def by_hand(pairs):
    """MAE, RMSE and SAM over the pixels of all pairs ``[N, C]`` at once."""
    held, guess = (np.concatenate(x).astype(np.float64) for x in zip(*pairs, strict=True))
    lengths = np.linalg.norm(held, axis=-1) * np.linalg.norm(guess, axis=-1)
    angle = np.degrees(np.arccos(np.clip((held * guess).sum(-1) / lengths, -1, 1)))
    error = guess - held
    return {"mae": np.abs(error).mean(), "rmse": np.sqrt((error**2).mean()), "sam": angle.mean()}


def pixels_of(tile, mark, predictor):
    held, here = of_part(tile, mark)
    return held[here], predictor([tile])[0][here]


@pytest.mark.parametrize("mark", ["", *MARKS])
def test_every_part_is_scored_on_its_ground_against_its_reference(evaluation, tiles, mark):
    for tile, row in zip(tiles, evaluation.of("model"), strict=True):
        pair = pixels_of(tile, mark, toys.noisy(0.02))
        if not len(pair[0]):
            assert all(math.isnan(row.values[f"{name}{mark}"]) for name in CLOUD_TABLE)
            continue
        for name, value in by_hand([pair]).items():
            assert row.values[f"{name}{mark}"] == pytest.approx(value, rel=1e-6), name
        psnr = -20 * math.log10(row.values[f"rmse{mark}"])
        assert row.values[f"psnr{mark}"] == pytest.approx(psnr)


def test_a_tile_that_is_all_clear_or_all_covered_adds_nothing_to_the_other_part(evaluation):
    clear, covered = evaluation.of("model")[1:3]
    assert clear.pixels == {"reconstruction": 0, "reproduction": 1024, "clear": 1024}
    assert covered.pixels == {"reconstruction": 1024, "reproduction": 0, "clear": 0}
    assert clear.values["mae@clear"] == pytest.approx(clear.values["mae"])
    assert covered.values["ssim@reconstruction"] == pytest.approx(covered.values["ssim"])
    for mark in MARKS:
        item = evaluation.summary["model"][f"rmse{mark}"]
        assert (item.count, item.undefined) == (4, 0)


@pytest.mark.parametrize("mark", ["", *MARKS])
def test_pooled_scores_are_over_all_pixels_at_once(evaluation, tiles, mark):
    pooled = evaluation.pooled
    model = pooled.scores["model"]
    parts = [pixels_of(tile, mark, toys.noisy(0.02)) for tile in tiles]
    for name, value in by_hand(parts).items():
        assert model[f"{name}{mark}"] == pytest.approx(value, rel=1e-6)
    assert model[f"psnr{mark}"] == pytest.approx(-20 * math.log10(model[f"rmse{mark}"]))
    assert model[f"psnr{mark}"] != pytest.approx(evaluation.summary["model"][f"psnr{mark}"].mean)
    held = [of_part(tile, mark) for tile in tiles]
    counts = support(np.stack([x for x, _ in held]), np.stack([m for _, m in held]))
    rows = [row.values[f"ssim{mark}"] for row in evaluation.of("model")]
    shares = [n * v for n, v in zip(counts["windows"], rows, strict=True) if n]
    assert model[f"ssim{mark}"] == pytest.approx(sum(shares) / counts["windows"].sum())
    kinds = {"mae": "pixels", "rmse": "pixels", "psnr": "pixels", "ssim": "windows"}
    for name, kind in {**kinds, "sam": "angles"}.items():
        assert pooled.counts[f"{name}{mark}"] == counts[kind].sum()


def test_draws_are_pooled_as_pixels_of_their_own_and_a_failure_leaves_none(clouds, tiles):
    draws = [toys.noisy(0.01), toys.noisy(0.05)]
    broken = toys.Made(lambda tiles: toys.truth(tiles) + np.array([np.nan, 0, 0], np.float32))
    given = {"model": Draws(draws), "broken": broken}
    scores = evaluate(given, *clouds, profile="dsen2cr").pooled.scores
    pairs = [pixels_of(tile, "@clear", draw) for tile in tiles for draw in draws]
    assert scores["model"]["rmse@clear"] == pytest.approx(by_hand(pairs)["rmse"], rel=1e-6)
    assert all(math.isnan(value) for value in scores["broken"].values())


def test_what_the_input_scores_against_itself_holds_by_definition(evaluation):
    nothing = evaluation.of("do_nothing")[0].values
    assert nothing["mae@reproduction"] == nothing["rmse@reproduction"] == 0.0
    assert nothing["psnr@reproduction"] == math.inf and nothing["mae@clear"] > 0
    assert evaluation.given("do_nothing", "psnr@reproduction")
    assert not evaluation.given("do_nothing", "psnr@clear")
    assert not evaluation.given("model", "psnr@reproduction")
    gains = evaluation.gains["do_nothing"]
    for name in CLOUD_TABLE:
        gain = gains[f"{name}@reproduction"]
        assert gain.note == "no verdict: perfect by definition"
        assert (gain.verdict, gain.t_low, gain.over) == ("none", None, "")
    assert gains["mae@reproduction"].mean < 0
    assert gains["mae@clear"].verdict != "none" and gains["mae@clear"].over
    assert "definition" not in evaluation.gains["mean_colour"]["mae@reproduction"].note


def written(evaluation, clouds, folder, **changes):
    known = {"do_nothing": DoNothing((1, 2, 3)), "mean_colour": toys.noisy(0.1)}
    return write(evaluation, folder, toys.subject(**changes), clouds[1], baselines=known)


def test_the_files_hold_columns_parts_masks_and_pooled_scores(evaluation, clouds, tmp_path):
    table, facts = written(evaluation, clouds, tmp_path)
    assert table.name == "sis2__alt6__l1_0715-0930_dsen2cr.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = [f"{name}{mark}" for mark in ("", *MARKS) for name in CLOUD_TABLE]
    pixels = [f"pixels{mark}" for mark in MARKS]
    assert list(rows[0]) == ["name", "scene", "split", "method", *columns, *pixels]
    nothing = next(row for row in rows if row["method"] == "do_nothing")
    assert (nothing["mae@reproduction"], nothing["psnr@reproduction"]) == ("0.0", "inf")
    content = json.loads(facts.read_text())
    assert content["metrics_version"] == 2 and content["profile"] == "dsen2cr"
    part = content["strata"]["reproduction"]
    assert (part["stratum"], part["against"]) == ("clear", "input")
    assert (part["variant"], part["threshold"]) == ("dsen2cr", 0.2)
    assert part["by_definition"] == ["do_nothing"] and part["tiles"] == 4
    assert part["windows"] == {"ssim": content["pooled"]["counts"]["ssim@reproduction"]}
    assert content["strata"]["clear"]["by_definition"] == []
    scores = content["pooled"]["scores"]
    assert set(scores) == {"model", "mean_colour", "do_nothing"}
    assert scores["do_nothing"]["psnr@reproduction"] is None
    assert scores["model"]["mae"] == evaluation.pooled.scores["model"]["mae"]
    assert content["metrics"]["mae"]["unit"] == "reflectance"


def shown(evaluation, clouds):
    console = Console(file=io.StringIO(), width=160)
    show(evaluation, clouds[1], "clouds", console)
    return console.file.getvalue()


def test_the_printed_tables_tell_parts_pooled_scores_and_masks(evaluation, clouds):
    text = shown(evaluation, clouds)
    flat = " ".join(text.split())
    assert "mask 'cloud_mask' by rule 'dsen2cr' with threshold 0.2" in flat
    told = "Scores @reproduction (prediction - input where 'clear'): 2560 pixels in 4 of 5 tiles"
    assert told in flat
    assert "Scores @clear (prediction - truth where 'clear')" in flat
    assert (
        "Gain of model over do_nothing @reconstruction (prediction - truth where 'covered" in flat
    )
    assert "windows centred @clear (prediction - truth where 'clear'): SSIM" in flat
    inside = text[text.index("Scores @reproduction") : text.index("windows centred @reproduction")]
    assert inside.count("by definition │") == len(CLOUD_TABLE) and "0.0000" not in inside
    assert text.count("no verdict: perfect by definition") == len(CLOUD_TABLE)
    heads = next(line for line in text.splitlines() if "pooled" in line)
    assert heads.index("mean") < heads.index("pooled") < heads.index("min")


def test_gains_are_shown_over_the_baseline_that_is_the_stronger_one(evaluation, clouds):
    columns = evaluation.columns_of(evaluation.strata[0])
    means = {m: [evaluation.summary[m][c].mean for c in columns] for m in evaluation.methods}
    # What the fakes are made for: noise around the truth is nearer to it than a cloud.
    assert means["mean_colour"][0] < means["do_nothing"][0]
    assert evaluation.reference == "do_nothing"
    assert stronger(evaluation, columns) == stronger(evaluation, evaluation.metrics)
    assert stronger(evaluation, columns) == ("mean_colour",)
    text = " ".join(shown(evaluation, clouds).split())
    assert "Gain of model over mean_colour (positive" in text
    assert "Gain of model over mean_colour @reconstruction (" in text
    # There doing nothing is perfect by definition: nothing beats it.
    perfect = evaluation.columns_of(next(p for p in evaluation.strata if p.against == "input"))
    assert stronger(evaluation, perfect) == () and "over mean_colour @reproduction" not in text
    assert "Gain of model over do_nothing (positive" in text


def test_the_last_table_is_the_one_that_papers_print(evaluation, clouds):
    text = shown(evaluation, clouds)
    last = text[text.index("Pooled over all pixels, as published tables are") :]
    title = " ".join(last[: last.index("┏")].split())
    assert title.endswith("; mask 'cloud_mask' by rule 'dsen2cr' with threshold 0.2")
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in last.splitlines()
        if line.startswith("│")
    ]
    assert [row[0] for row in rows] == list(evaluation.methods)
    for method, *cells in rows:
        own = evaluation.pooled.scores[method]
        mae, sam = (
            [f"{own[f'{name}{mark}']:.{digits}f}" for mark in ("", *MARKS[1::-1])]
            for name, digits in (("mae", 4), ("sam", 2))
        )
        if method == "do_nothing":
            mae[1] = sam[1] = "by definition"
        rmse, psnr, ssim = f"{own['rmse']:.4f}", f"{own['psnr']:.2f}", f"{own['ssim']:.3f}"
        assert cells == [" / ".join(mae), rmse, psnr, " / ".join(sam), ssim]
    assert last.rstrip().endswith("┘")  # nothing stands below
    other = shown(evaluate({"model": toys.noisy(0.02)}, *clouds), clouds)
    assert "Pooled over all pixels" not in other


def test_a_perfect_model_has_no_pooled_psnr(clouds):
    text = shown(evaluate({"model": toys.perfect}, *clouds, profile="dsen2cr"), clouds)
    row = text.splitlines()[-2].split("│")
    assert (row[3].strip(), row[4].strip(), row[6].strip()) == ("0.0000", "–", "1.000")


def test_a_model_that_gives_the_input_back_earns_no_verdict_either(clouds):
    given = {"model": DoNothing((1, 2, 3)), "mean_colour": predictors(clouds)["mean_colour"]}
    gains = evaluate(given, *clouds, profile="dsen2cr").gains["mean_colour"]
    assert gains["mae@reproduction"].note == "no verdict: perfect by definition"
    assert gains["mae@clear"].verdict != "none"


@pytest.mark.parametrize(
    ("strata", "lacking"),
    [({"cloudy": (1, 2)}, "'covered' and 'clear'"), ({"covered": (1, 2)}, "'clear'")],
)
def test_a_data_set_without_the_two_strata_is_refused_in_one_line(tmp_path, strata, lacking):
    folder = make_clouds(tmp_path, strata=strata)
    contract = load_contract(folder)
    with pytest.raises(ConfigError, match="cannot score this data set") as refused:
        evaluate({"model": toys.perfect}, folder, contract, profile="dsen2cr")
    assert f"no mask of this data set has the strata {lacking}" in str(refused.value.what)
    assert "\n" not in str(refused.value)


def test_inputs_on_another_grid_and_other_units_are_refused(clouds):
    folder, contract = toys.dataset()
    with pytest.raises(ConfigError, match="has the strata"):
        evaluate({"model": toys.perfect}, folder, contract, profile="dsen2cr")
    bands = tuple(band.model_copy(update={"unit": "DN"}) for band in clouds[1].target.bands)
    other = clouds[1].target.model_copy(update={"bands": bands})
    with pytest.raises(ConfigError, match="the target bands are in DN, not in reflectance"):
        evaluate({"model": toys.perfect}, clouds[0],
                 clouds[1].model_copy(update={"target": other}), profile="dsen2cr")  # fmt: skip


def test_profile_standard_scores_the_same_data_as_strata(clouds):
    plain = evaluate({"model": toys.noisy(0.02)}, *clouds)
    assert [part.name for part in plain.strata] == ["covered", "clear"]
    assert plain.pooled is None and replace(plain).copies == frozenset()
    assert "rmse@covered" in plain.columns and "rmse@reconstruction" not in plain.columns
