"""Intervals from calibration blocks to the bands of a file, with baselines as models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio

import calibrate
from predict import arguments
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.form import form_of
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.inference.cog import read_cog
from sensor2sensor.inference.intervals import (
    bounded,
    calibrated,
    covered,
    ground,
    home_of,
    shift,
)
from sensor2sensor.inference.method import Method, at_once
from sensor2sensor.inference.preview import write_preview
from sensor2sensor.inference.run import (
    PredictOptions,
    layout_of,
    predict,
    provenance_of,
    shift_of,
)
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.inference.scenes.rasters import scale_notices
from sensor2sensor.inference.tiles import predicted
from sensor2sensor.predictors.conformal import RELATIVE_ERROR
from sensor2sensor.predictors.interval_words import (
    calibrate_command,
    coverage_lines,
    quantile_lines,
)
from sensor2sensor.predictors.intervals import Intervals, keep_intervals, read_intervals
from sensor2sensor.predictors.registry import find
from sensor2sensor.predictors.tiling import Tiling, baseline_tiling
from sensor2sensor.report import file as report_file
from tests.fakes_dataset import make_dataset
from tests.unit.inference.arrays import ArrayScene
from tests.unit.inference.arrays import ground as landscape

BLOCKS, EDGE = 12, 8  # bicubic interpolation sees two pixels of its input, of 4 each


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("intervals")
    return make_dataset(
        root, name="alt4_toy", factor=4, tile_px=48, train=1, val=BLOCKS, test=5, seed=4
    )


def method_of(place: Path, *names: str, **said: object) -> Method:
    contract = load_contract(place)
    made = [find(name).make(contract, None) for name in names]
    form = form_of(contract)
    known = {"experiment": "a/b", "run": "0101-0000", "step": 3, "checkpoint_sha256": "ab", **said}
    return Method(names[-1], made, form, baseline_tiling("bicubic", form), 4, known)


def of_split(place: Path, split: str, count: int | None = None):
    rows = read_split(place)
    chosen = [row for row in rows if row.split == split][:count]
    return ground(place, load_contract(place), chosen)


def errors(place: Path, split: str, method: Method) -> list[np.ndarray]:
    """What each tile's prediction is off by, the edge left out: ``[n, 3]`` a block."""
    tiles = list(iterate_refs(list_records(place, split), load_contract(place)))
    inner = slice(EDGE, -EDGE)
    made = np.stack([one(tiles) for one in method.predictors])
    mean, truth = made.mean(0), np.stack([tile.target for tile in tiles])
    off = np.abs(truth - mean)
    if len(made) > 1:
        floor = [1e-3 * (high - low) for low, high in method.form.target_ranges]
        off = off / np.maximum(made.std(0, ddof=1), floor)
    return [one[inner, inner].reshape(-1, 3) for one in off]


@pytest.fixture(scope="module")
def bicubic(place) -> tuple[Method, Intervals]:
    method = method_of(place, "bicubic")
    return method, calibrated(method, of_split(place, "val"), 0.9)


def test_the_quantile_is_that_of_the_blocks(place, bicubic):
    method, made = bicubic
    assert (made.blocks, made.edge_px, made.score, made.calibrated) == (12, EDGE, "absolute", True)
    assert made.called == "conformal, 12 blocks" and "nothing is promised" in made.promise
    off = errors(place, "val", method)
    for band, one in enumerate(made.bands):
        share = np.mean([(block[:, band] <= one.q).mean() for block in off])
        below = np.mean([(block[:, band] <= one.q / (1 + RELATIVE_ERROR)).mean() for block in off])
        assert below < 0.9 * 13 / 12 <= share and one.unit == "reflectance"
    assert len({one.q for one in made.bands}) == 3
    assert quantile_lines(made)[0].startswith("90 % intervals (conformal, 12 blocks; 8 px at")


def test_with_several_predictors_it_counts_spreads(place):
    method = method_of(place, "nearest", "bicubic")
    made = calibrated(method, of_split(place, "val"), 0.8)
    assert made.score == "spread" and all(one.floor > 0 for one in made.bands)
    off = errors(place, "val", method)
    share = np.mean([(block[:, 0] <= made.bands[0].q * 1.001).mean() for block in off])
    assert 0.8 * 13 / 12 <= share < 0.88
    tried = covered(replace(method, intervals=made), of_split(place, "test"))
    wanted = np.mean([(b[:, 0] <= made.bands[0].q).mean() for b in errors(place, "test", method)])
    assert tried["bands"]["B02"]["coverage"] == pytest.approx(wanted, abs=2e-3)


def test_eight_blocks_are_an_estimate_and_are_called_so(place):
    made = calibrated(method_of(place, "bicubic"), of_split(place, "val", 8), 0.9)
    assert not made.calibrated and made.called == "uncalibrated, 8 blocks"
    assert made.promise.startswith("an estimate") and made.bands[0].q > 0


def test_coverage_is_told_by_block_and_read_by_reports(place, bicubic):
    method, made = bicubic
    tried = covered(replace(method, intervals=made), of_split(place, "test"))
    shares = [(b[:, 1] <= made.bands[1].q).mean() for b in errors(place, "test", method)]
    one = tried["bands"]["B03"]
    assert one["coverage"] == pytest.approx(np.mean(shares), abs=1e-3)
    assert one["std"] == pytest.approx(np.std(shares, ddof=1), abs=1e-3)
    assert one["lowest"] == pytest.approx(min(shares), abs=1e-3)
    assert (one["blocks"], one["calibration_blocks"], one["pixels"]) == (5, 12, 5 * 32 * 32)
    assert one["width"] == pytest.approx(2 * made.bands[1].q, rel=1e-5)
    assert tried["shift"] == [] and (tried["tiles"], tried["test_blocks"]) == (5, 5)
    read = report_file.Intervals.model_validate_json(json.dumps(tried))
    assert read.promise == made.promise
    lines = coverage_lines(tried)
    assert lines[0] == "90 % intervals (conformal, 12 blocks) on 5 test blocks, by band:"
    assert lines[-1] == f"intervals are {made.promise}"
    out = {**tried, "left_out_blocks": 2}
    assert coverage_lines(out)[-2].startswith("  left out: 2 more blocks, on whose ground")
    assert report_file.Intervals.model_validate(out).left_out_blocks == 2 != read.left_out_blocks


def test_pixels_without_a_prediction_are_not_held_against_it(place, bicubic, monkeypatch):
    method, made = bicubic

    def with_gaps(method, records):
        for one in predicted(method, records):
            one.made[:4] = np.nan
            yield one

    monkeypatch.setattr("sensor2sensor.inference.intervals.predicted", with_gaps)
    tried = covered(replace(method, intervals=made), of_split(place, "test"))
    off = [one.reshape(32, 32, 3)[4:] for one in errors(place, "test", method)]
    shares = [(one[..., 0] <= made.bands[0].q).mean() for one in off]
    found = tried["bands"]["B02"]
    assert found["pixels"] == 5 * 28 * 32
    assert found["coverage"] == pytest.approx(np.mean(shares), abs=1e-3)
    assert found["width"] == pytest.approx(2 * made.bands[0].q, rel=1e-5)


def test_a_shifted_domain_is_named(place, bicubic):
    _, made = bicubic
    test = of_split(place, "test")
    seen = [
        replace(row, overpass=f"S2A_2022{month:02d}05T115411")
        for row, month in zip(test.rows, (1, 1, 4, 7, 7), strict=True)
    ]
    other = replace(test, rows=tuple(seen))
    was = {"scenes": (seen[0].overpass,), "seasons": ("winter",), "dataset_sha256": "other"}
    told = shift(made.model_copy(update=was), other)
    assert told == [
        "another data set: alt4_toy, calibrated on alt4_toy",
        "other scenes: 2 of 3 were not calibrated on",
        "other seasons: spring, summer, calibrated on winter",
    ]
    # Nothing is known of scenes where one tile has none.
    assert replace(test, rows=(*seen[:-1], test.rows[-1])).scenes == ()
    assert shift(made, other) == []


def test_the_bounds_are_bands_of_the_file_and_say_what_they_are(place, bicubic, tmp_path):
    method, made = bicubic
    image = np.concatenate([landscape(20, 24), landscape(20, 24, 1)[..., :1]], axis=-1)
    image[:5, :6] = np.nan
    scene, out = ArrayScene(image, 4), tmp_path / "out.tif"
    plain = predict(method, scene, tmp_path / "plain.tif")
    written = predict(replace(method, intervals=made), scene, out, PredictOptions(window_px=32))
    names = [band.description for band in read_cog(out).bands]
    ends = [f"{n}_{end}" for end in ("lower", "upper") for n in ("B02", "B03", "B04")]
    assert names == ["B02", "B03", "B04", *ends]
    with rasterio.open(out) as source, rasterio.open(plain.cog.path) as bare:
        values, tags, first = source.read(), source.tags(), source.tags(4)
        np.testing.assert_array_equal(values[:3], bare.read())
        assert "S2S_INTERVALS" not in bare.tags() and "intervals" not in plain.provenance
    q = np.array([band.q for band in made.bands], np.float32)[:, None, None]
    np.testing.assert_allclose(values[3:6], values[:3] - q, atol=1e-6)
    np.testing.assert_allclose(values[6:], values[:3] + q, atol=1e-6)
    assert np.isnan(values[:, :20, :24]).all() and np.isfinite(values[:, 20:]).all()
    said = json.loads(tags["S2S_INTERVALS"])
    assert (said["level"], said["blocks"], said["called"]) == (0.9, 12, "conformal, 12 blocks")
    assert "marginal over blocks" in said["promise"] and first["kind"] == "lower"
    assert written.provenance["intervals"] == said
    assert written.provenance["notices"] == [f"90 % intervals ({made.called}): {made.promise}"]


def test_what_was_calibrated_for_another_kind_of_scene_promises_nothing_here(
    place, bicubic, tmp_path
):
    method, made = bicubic
    using = replace(method, intervals=made)
    image = np.concatenate([landscape(20, 24), landscape(20, 24, 1)[..., :1]], axis=-1)
    notices = ("odd", *scale_notices(20.0, 40.0, SceneOptions(other_scale=True), "x"))
    coarse, out = ArrayScene(image, 4, notices=notices), tmp_path / "out.tif"
    written = predict(using, coarse, out)
    told = "has pixels of 20 m, and the model was trained on 40 m"
    with rasterio.open(out) as source:
        said = json.loads(source.tags()["S2S_INTERVALS"])
    assert said["promise"] == f"a shifted domain, where nothing is promised: {told}"
    assert said["shift"] == [told] and written.provenance["intervals"] == said
    assert written.provenance["notices"][:2] == ["odd", told]
    assert any(said["promise"] in one for one in written.provenance["notices"][2:])
    write_preview(tmp_path / "out.html", coarse, out, using)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "where nothing is promised" in page and "marginal over blocks" not in page
    # So of windows whose borders show, and of no other way to lead it.
    scene = ArrayScene(image, 4)
    for px, words in ((1, ["--overlap-px 1: borders of windows show"]), (12, []), (None, [])):
        options = PredictOptions(window_px=32, overlap_px=px)
        layout = layout_of(using, scene, options)
        found = provenance_of(using, scene, layout, options)["intervals"]
        assert found.get("shift", []) == words
        assert (found["promise"] == made.promise) is not bool(words)
    blended = replace(using, tiling=Tiling(None, (32, 32), 4, 16))
    for px, words in ((4, 1), (16, 0)):
        options = PredictOptions(overlap_px=px)
        assert len(shift_of(blended, scene, layout_of(blended, scene, options), options)) == words


def test_photos_have_no_interval_beyond_their_range(bicubic):
    _, made = bicubic
    bands = [band.model_copy(update={"value_range": (0.0, 255.0), "q": 9.0}) for band in made.bands]
    photo = made.model_copy(update={"bands": tuple(bands)})
    lower, upper = photo.bounds(np.array([[1.0, 100.0, 250.0]], np.float32), None, photo_names())
    assert lower.tolist() == [[0, 91, 241]] and upper.tolist() == [[10, 109, 255]]
    with pytest.raises(ValueError, match="fit no such prediction"):
        photo.bounds(lower, upper, photo_names())


def photo_names() -> list[str]:
    return ["B02", "B03", "B04"]


def test_quantiles_are_taken_for_what_they_are_of_alone(place, bicubic, tmp_path):
    method, made = bicubic
    run = Run(tmp_path, "0101-0000")
    experiment = SimpleNamespace(name="a/b", config=SimpleNamespace(calibration=1, monitor=None))
    members = [(experiment, run, 3)]
    assert home_of(method, members) == run.ckpt_dir / "ckpt-3.intervals.json"
    with pytest.raises(InputError, match=r"^a/b: was not calibrated; calibrate it: python -m"):
        bounded(method, members)
    experiment.config.calibration = None  # calibrate would refuse it
    with pytest.raises(InputError, match=r"^a/b: was trained without the key .* and train anew$"):
        bounded(method, members)
    for monitor, words in ((None, "its validations looked at"), ({}, "chose its checkpoints")):
        experiment.config.monitor = monitor
        with pytest.raises(ConfigError, match=f"on val as a whole, which {words}; set it"):
            calibrate.calibrate(members, method)
    keep_intervals(home_of(method, members), made)
    keep_intervals(home_of(method, members), made.model_copy(update={"level": 0.8}))
    (kept,) = read_intervals(home_of(method, members))  # one of a mode, the last
    assert kept.level == 0.8 and bounded(method, members).intervals == kept
    of_batch = {"applied": {"statistics": "batch"}, "batch_size": 4}
    keep_intervals(
        home_of(method, members),
        made.model_copy(update={"members": ({**made.members[0], **of_batch},)}),
    )
    told = at_once(method_of(place, "bicubic", applied=of_batch["applied"]).provenance, 4)
    assert bounded(replace(method, provenance=told), members).intervals.bands == made.bands
    # Where a window is predicted alike whatever it is predicted with, it is in no provenance.
    assert at_once(method.provenance, 4) == method.provenance
    both = at_once({"members": [told, dict(method.provenance)]}, 2)["members"]
    assert [one.get("batch_size") for one in both] == [2, None]
    one = r"a/b \(0101-0000\)"
    for other, said in (
        ({"checkpoint_sha256": "cd"}, f"{one} with other weights of that step"),
        ({"draws": 8}, "with --samples 1, not 8"),
        ({"applied": {"dropout": True}}, f"{one} with no dropout in place of dropout True"),
        ({**of_batch, "batch_size": 1}, f"{one} with batch_size 4 in place of batch_size 1"),
    ):
        with pytest.raises(InputError, match=f"in another mode: {said}; calibrate it so: python"):
            bounded(method_of(place, "bicubic", **other), members)
    home_of(method, members).write_text('{"modes": 3}')
    with pytest.raises(InputError, match=r"holds no intervals \(modes"):
        bounded(method, members)


def test_members_are_the_same_in_any_order(place, bicubic, tmp_path):
    _, made = bicubic
    told = [{"experiment": name, "run": "0101-0000", "step": 3} for name in ("b", "a")]
    runs = [(type("E", (), {"name": n}), Run(tmp_path / n, "0101-0000"), 3) for n in ("a", "b")]
    both = [replace(method_of(place, "bicubic"), provenance={"members": m}) for m in
            (told, told[::-1])]  # fmt: skip
    assert {home_of(one, runs).parents[2].name for one in both} == {"a"}
    members = tuple(sorted(told, key=lambda one: one["experiment"]))
    keep_intervals(home_of(both[0], runs), made.model_copy(update={"members": members}))
    assert all(bounded(one, runs).intervals is not None for one in both)
    # Of one alone the message tells who is too many, and of both who was not there.
    words = ["--exp", "a", "b c", "--product", "x", "--intervals"]
    command = calibrate_command(arguments().parse_args(words))
    assert command == "python -m sensor2sensor calibrate --exp a 'b c'"
    words += ["--set", "inference.dropout=true", "--step", "best", "--samples", "8"]
    command = calibrate_command(arguments().parse_args(words))
    assert command.endswith(" 'b c' --set inference.dropout=true --step best --samples 8")
    alone = replace(both[0], provenance=told[1])
    with pytest.raises(InputError, match=r"together with b \(0101-0000\); .* --exp a 'b c' --set"):
        bounded(alone, runs, command)
    home_of(alone, runs).unlink()
    keep_intervals(home_of(alone, runs), made.model_copy(update={"members": (members[0],)}))
    with pytest.raises(InputError, match=r"in another mode: without b \(0101-0000\); calibrate"):
        bounded(both[1], runs)
