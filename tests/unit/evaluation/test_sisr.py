"""Profile torchsisr from predictors to the files: bands, simulated inputs, spectra, sites."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from rich.console import Console

from sensor2sensor import report
from sensor2sensor.config.cross_tables import fda_table, tables
from sensor2sensor.config.vocabulary import SISR_TABLE
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation import mosaics
from sensor2sensor.evaluation.cross_output import show_detail, write_detail
from sensor2sensor.evaluation.curves import _panel
from sensor2sensor.evaluation.lowside import LowSide
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.sisr import Sisr
from sensor2sensor.evaluation.spectra import Spectra
from sensor2sensor.evaluation.tables import show
from sensor2sensor.metrics import fda
from sensor2sensor.pipeline.bicubic import resize
from sensor2sensor.pipeline.psf import MTF, degrade
from sensor2sensor.pipeline.reader import iterate_tiles
from sensor2sensor.predictors.registry import baselines
from tests.fakes_pairs import make_pairs
from tests.unit.evaluation import toys

SITES = 11


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = make_pairs(tmp_path_factory.mktemp("pairs"), test=SITES)
    return folder, load_contract(folder)


@pytest.fixture(scope="module")
def scored(pairs):
    methods = {"model": toys.noisy(0.01), **baselines(*pairs)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mosaics, "MOSAICS", 2)
        return evaluate(methods, *pairs, profile="torchsisr", batch_size=4)


@pytest.fixture(scope="module")
def facts(scored):
    return json.loads(json.dumps(scored.cross_sensor, allow_nan=False))


def first(pairs):
    return next(iter(iterate_tiles(*pairs, "test")))


def test_means_are_those_of_the_bands_with_a_reference(pairs, scored, facts):
    assert scored.metrics == SISR_TABLE and facts["left_out"] == ["B11"]
    tile, row = first(pairs), scored.of("bicubic")[0]
    guess = baselines(*pairs)["bicubic"]([tile])[0].astype(np.float64)
    error = (guess - tile.target)[..., :3]
    ranges = pairs[1].target_ranges()[:3].astype(np.float64)
    squares = (error**2).mean(axis=(0, 1))
    scaled = squares / (ranges[:, 1] - ranges[:, 0]) ** 2
    assert row.values["rmse_bands"] == pytest.approx(np.sqrt(squares).mean())
    assert row.values["psnr_bands"] == pytest.approx((-10 * np.log10(scaled)).mean())
    assert row.values["psnr"] == pytest.approx(-10 * math.log10(scaled.mean()))
    bands = facts["bands"]["bicubic"]["real"]
    assert list(bands) == ["B02", "B03", "B04", "B11", "mean"]
    assert bands["B11"]["psnr"] is None and bands["B11"]["lr_rmse"] > 0
    assert bands["mean"]["psnr"] == pytest.approx(scored.summary["bicubic"]["psnr_bands"].mean)
    assert bands["mean"]["lr_rmse"] == pytest.approx(scored.summary["bicubic"]["lr_rmse"].mean)
    assert bands["mean"]["ssim"] == pytest.approx(scored.summary["bicubic"]["ssim"].mean)
    simulated = facts["bands"]["bicubic"]["simulated"]["mean"]["rmse"]
    column = scored.summary["bicubic"]["rmse_bands@simulated"].mean
    assert simulated == pytest.approx(column) and simulated != bands["mean"]["rmse"]


def test_a_simulated_input_is_the_degraded_target_and_an_unmeasured_band_stays(pairs):
    low, tile = LowSide(pairs[1]), first(pairs)
    made = low.simulated([tile])[0]
    assert made.target is tile.target and made.input_dense.shape == (16, 16, 4)
    # B11 is first among the input's bands, and nobody measured it finer.
    np.testing.assert_array_equal(made.input_dense[..., 0], tile.input_dense[..., 0])
    flat = LowSide(pairs[1]).degraded(np.full((1, 32, 32, 4), 0.3, np.float32))
    np.testing.assert_allclose(flat, 0.3, rtol=1e-6)
    seen = low.degraded(tile.target[None])[0]
    np.testing.assert_array_equal(made.input_dense[..., 3], seen[..., 0])
    np.testing.assert_array_equal(seen[::2, ::2, 3], seen[1::2, 1::2, 3])  # 20 m pixels, repeated
    published = LowSide(pairs[1], compat="torchsisr").degraded(tile.target[None])[0]
    assert 0 < np.abs(published - seen).max() < 0.1
    way = {"half_width": 3, "coefficient": -0.75}  # as degradation makes inputs in a training
    trained = degrade(tile.target[None, ..., :1], 2, MTF["B2"], **way)[0]
    np.testing.assert_allclose(published[..., 0], trained[..., 0], atol=1e-6)


def test_what_is_consistent_with_the_input_says_so(pairs):
    low = LowSide(pairs[1])
    given = {"model": toys.perfect, **baselines(*pairs)}
    found = evaluate(given, *pairs, profile="torchsisr").of("model")
    tile = first(pairs)
    expected = np.sqrt(np.mean((low.degraded(tile.target[None]) - low.of([tile])) ** 2, (0, 1, 2)))
    assert found[0].values["lr_rmse"] == pytest.approx(expected.mean(), rel=1e-5)
    assert found[0].values["psnr_bands"] == math.inf
    # Its input was made of it; that of B11, which nobody made, differs as before.
    assert found[0].values["lr_rmse@simulated"] == pytest.approx(expected[3] / 4, rel=1e-4)


def test_rates_are_those_of_the_mean_spectra(pairs, facts):
    tiles = list(iterate_tiles(*pairs, "test"))
    target = np.stack([tile.target for tile in tiles])[..., :3]
    low = LowSide(pairs[1]).of(tiles)[..., :3]
    for mode, coefficient in (("windowed", -0.5), ("torchsisr", -0.75)):
        large = np.asarray(resize(low, 32, 32, coefficient=coefficient))
        noisy = toys.noisy(0.01)(tiles)[..., :3]
        levels = [fda.level_db(fda.amplitudes(x, mode).mean(0)) for x in (target, large, noisy)]
        expected = fda.rates(*levels, mode)
        rates = facts["fda"][mode]["rates"]["model"]
        for name in fda.RATES:
            assert rates["B03"][name]["value"] == pytest.approx(expected[name][1])
        assert rates["mean"]["frr"]["value"] == pytest.approx(expected["frr"].mean())


def test_intervals_hold_the_value_and_need_ten_sites(facts, pairs):
    assert facts["mode"] == "windowed" and facts["intervals"] == "95 % intervals over 11 sites"
    cell = facts["fda"]["windowed"]["rates"]["model"]["B02"]["frr"]
    assert cell["low"] <= cell["value"] <= cell["high"]
    few = evaluate({"model": toys.perfect}, *pairs, profile="torchsisr", limit=9)
    content = few.cross_sensor
    assert content["intervals"] == "no interval below 10 sites (9 here)"
    cells = content["fda"]["windowed"]["rates"]["model"]["B02"].values()
    assert all(cell["low"] is None and cell["high"] is None for cell in cells)


def test_a_ratio_to_nothing_has_no_interval():
    draw = np.random.default_rng(0)
    target, sites = draw.normal(size=(12, 16, 16, 2)), [f"s{i}" for i in range(12)]
    low = target + draw.normal(size=target.shape) * [0.01, 0.01]
    spectra = Spectra("windowed")
    spectra.begin(target, low, sites)
    spectra.add("model", target)
    rates = spectra.result(["a", "b"], 0)["rates"]["model"]
    for band in ("a", "b", "mean"):
        assert rates[band]["frr"]["low"] is None and rates[band]["prr"]["low"] is not None


def test_the_published_rings_are_printed_where_they_are_asked_for(pairs):
    how = Sisr(compat="torchsisr")
    found = evaluate({"model": toys.perfect}, *pairs, profile="torchsisr", limit=2, sisr=how)
    content = found.cross_sensor
    assert content["mode"] == "torchsisr" and content["half_width"] == 3
    titles = " ".join(tables(content, [content["mode"]]))
    assert "mode torchsisr" in titles and "windowed" not in titles


def test_frr_stands_with_overshoot_noise_and_consistency(facts):
    headings, rows = fda_table(facts, "windowed")
    assert {"FRR ↑", "FRO ↓", "noise ↓", "LR RMSE ↓"} <= set(headings)
    assert len(rows) == 4 * len(facts["bands"])
    assert all(len(row) == len(headings) for row in rows)
    alone = [t for t, (heads, _) in tables(facts, ["windowed", "torchsisr"]).items()
             if any("FRR" in h for h in heads) and not any("FRO" in h for h in heads)]  # fmt: skip
    assert not alone


def test_sites_have_their_own_scores(scored, facts):
    assert len(facts["sites"]) == SITES
    row, site = scored.of("model")[0], facts["sites"][scored.of("model")[0].block]
    assert site["tiles"] == 1
    own = site["scores"]["model"]["real"]
    assert own["rmse"] == pytest.approx(row.values["rmse_bands"])


def test_the_order_of_the_bands_changes_no_score(pairs, scored, tmp_path):
    order = ("B11", "B04", "B02", "B03")
    folder = make_pairs(tmp_path, test=2, bands=order)
    contract = load_contract(folder)
    other = evaluate(baselines(folder, contract), folder, contract, profile="torchsisr")
    for mine, theirs in zip(scored.of("bicubic"), other.of("bicubic"), strict=False):
        assert theirs.values == pytest.approx(mine.values, rel=1e-5)


def test_files_and_tables_hold_all_of_it(scored, facts, pairs, tmp_path):
    shelf = tmp_path / "x_gallery"
    entries = write_detail(scored.detail, facts, shelf)
    assert [e["rank"] for e in entries[:3]] == ["spectra-windowed", "spectra-torchsisr",
                                               "mosaic-01"]  # fmt: skip
    assert len(entries) == 2 + 2 and all((tmp_path / e["file"]).is_file() for e in entries)
    wanted = "target, model, real, model, simulated, bicubic, real, bicubic, simulated"
    assert entries[2]["caption"].endswith(f"tile {scored.of('model')[0].name}: {wanted}")
    lines = (shelf / "bands.csv").read_text().splitlines()
    assert len(lines) == 1 + SITES * 4 * 2 * len(scored.methods)
    known = baselines(*pairs)
    table, path = write(scored, tmp_path, toys.subject(), pairs[1], baselines=known)
    assert table.name == "sis2__alt6__l1_0715-0930_torchsisr.csv"
    content = json.loads(path.read_text())
    assert content["cross_sensor"] == facts and content["strata"]["simulated"]["tiles"] == SITES
    assert content["strata"]["simulated"]["against"] == "simulated"
    console = Console(record=True, width=150, file=io.StringIO())
    show(scored, pairs[1], "toy", console)
    show_detail(facts, console)
    text = console.export_text()
    assert "Scores on simulated inputs, the target degraded" in text
    assert "inputs; nobody measured B11" in text and "PSNR, pooled" in text


def test_masks_of_the_data_set_are_scored_apart_but_not_on_the_input_s_side(tmp_path):
    folder = make_pairs(tmp_path, test=3, gaps=True)
    contract = load_contract(folder)
    known = baselines(folder, contract)
    found = evaluate({"model": toys.noisy(0.01), **known}, folder, contract, profile="torchsisr")
    marks = {part.name: found.columns_of(part) for part in found.strata}
    assert list(marks) == ["measured", "filled", "simulated"]
    assert "lr_rmse@simulated" in marks["simulated"] and "hp_l1@filled" in marks["filled"]
    assert not {"lr_rmse@measured", "lr_rmse@filled"} & {*found.columns}
    row = next(row for row in found.of("bicubic") if row.pixels["filled"])
    tile = next(t for t in iterate_tiles(folder, contract, "test") if t.name == row.name)
    error = (known["bicubic"]([tile])[0].astype(np.float64) - tile.target)[4:6, :, :3]
    expected = np.sqrt((error**2).mean(axis=(0, 1))).mean()
    assert row.values["rmse_bands@filled"] == pytest.approx(expected, rel=1e-5)
    assert found.summary["bicubic"]["l1@filled"].mean > 0 and found.gains
    _, path = write(found, tmp_path, toys.subject(), contract, baselines=known)
    strata = json.loads(path.read_text())["strata"]
    assert {name: part["tiles"] for name, part in strata.items()} == {
        "measured": 3, "filled": 2, "simulated": 3,
    }  # fmt: skip
    console = Console(record=True, width=150, file=io.StringIO())
    show(found, contract, "toy", console)
    assert "within 'filled'" in console.export_text()
    loaded = report.load(tmp_path)
    assert not loaded.skipped and "filled" in report.summary(loaded)._repr_html_()


def test_a_band_of_larger_pixels_is_enlarged_from_its_own(tmp_path):
    folder = make_pairs(tmp_path, test=3, measured=True)
    contract = load_contract(folder)
    given = baselines(folder, contract)
    content = evaluate(given, folder, contract, profile="torchsisr").cross_sensor
    assert content["left_out"] == []
    rates = content["fda"]["windowed"]["rates"]
    # Bicubic is the input's own curve, so it restores nothing and loses nothing.
    for band in ("B02", "B11"):
        assert rates["bicubic"][band]["frr"]["value"] == pytest.approx(0, abs=1e-3), band
        assert rates["bicubic"][band]["fru"]["value"] == pytest.approx(0, abs=1e-3), band
        assert rates["bicubic"][band]["prr"]["value"] > 1
    tile = next(iter(iterate_tiles(folder, contract, "test")))
    low = LowSide(contract)
    large = low.enlarged(low.of([tile]), (32, 32), -0.75)
    own = np.asarray(resize(tile.input_dense[None, ::2, ::2, :1], 32, 32, coefficient=-0.75))
    np.testing.assert_array_equal(large[..., 3], own[..., 0])  # the input has B11 first


def test_the_input_is_drawn_over_bicubic_and_what_has_no_curve_is_left_out():
    axes = Figure().subplots()
    curves = {"target": [0.0, -1.0], "input": [0.0, -3.0], "mean_colour": [None, None],
              "bicubic": [0.0, -3.0]}  # fmt: skip
    levels = {name: {"B02": level} for name, level in curves.items()}
    _panel(axes, {"frequencies": [0.0, 1.0], "levels": levels}, "B02")
    assert axes.get_legend_handles_labels()[1] == ["target", "bicubic", "input"]
    assert axes.lines[1].get_linestyle() == "-" != axes.lines[2].get_linestyle()


def test_a_registration_moves_targets_and_measures_what_lies_apart(pairs):
    seen = []

    def moved(inputs, target):
        assert inputs.shape[1:] == (16, 16, 4)
        return np.roll(target, 1, axis=2)

    def motion(inputs, image):
        seen.append(image)
        return np.full(len(image), 0.5), np.full(len(image), 0.25)

    how = Sisr(register=moved, motion=motion)
    rolled = toys.Made(lambda tiles: np.roll(toys.truth(tiles), 1, axis=2))
    found = evaluate({"model": rolled}, *pairs, profile="torchsisr", limit=2, sisr=how)
    row = found.of("model")[0].values
    assert row["rmse_bands@registered"] == 0 < row["rmse_bands"]
    assert row["lr_rmse@registered"] == row["lr_rmse"]
    expected = {"mean": 0.5, "std": pytest.approx(0.25)}
    assert found.cross_sensor["warp"] == {"target": expected, "model": expected}
    np.testing.assert_array_equal(np.roll(seen[0], 1, axis=2), seen[1])
    part = [part for part in found.strata if part.name == "registered"]
    assert part[0].told == "against the target registered to the input"


def test_a_data_set_it_cannot_score_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"'torchsisr' cannot score .* swath"):
        evaluate({"model": toys.perfect}, *toys.dataset("sentinel3"), profile="torchsisr")
    with pytest.raises(ConfigError, match="64 pixels are no whole number of times 11"):
        evaluate({"model": toys.perfect}, *toys.dataset(), profile="torchsisr")
