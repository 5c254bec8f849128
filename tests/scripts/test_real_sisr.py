"""``make real-sisr``: its source on generated images, and the distortion that is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rasterio.transform import from_origin

from benchmarks.sisr import array, paired, settings, sisr
from benchmarks.trainings import spread
from examples import distorted
from sensor2sensor.core.errors import InputError
from sensor2sensor.sources.source import LeftOut
from tests.fakes.sen12mscr import write_tif

ROOT = Path(__file__).resolve().parents[2]
TILE_PX, SIDE_PX = 16, 16 * 11 + 2 * distorted.MARGIN_PX


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two images of 11 x 11 squares: of one the far columns are for tests, the other is cloudy."""
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    image = draw.integers(200, 2900, (4, SIDE_PX, SIDE_PX)).astype(np.float32)
    image[:, 90:100, 30:40] = np.nan
    profile = {
        "driver": "GTiff", "width": SIDE_PX, "height": SIDE_PX, "nodata": np.nan,
        "crs": "EPSG:32633", "transform": from_origin(5e5, 5e6, 10, 10),
    }  # fmt: skip
    write_tif(folder / "a.tif", image, profile)
    write_tif(folder / "b.tif", np.where(image < 2000, np.float32(5000), image), profile)
    chips = tuple(
        distorted.Chip(name, name, f"{name}.tif", (1, 2, 3, 4), splits)
        for name, splits in {"a": ("train", "test"), "b": ("val", "val")}.items()
    )
    return distorted.DistortedSource(folder, "distorted", TILE_PX, 0, ("train", "val"), chips)


def items(source):
    return {item.name: item for item in source.plan().items}


def test_splits_of_one_image_are_kept_apart_by_a_column_of_squares(source):
    columns = {"train": set(), "test": set()}
    for name, item in items(source).items():
        if name.startswith("a"):
            columns[item.split].add(int(name[-2:]))
    # 6 of 11 columns end before 0.6; the first to begin after 0.7 is the ninth.
    assert columns == {"train": set(range(6)), "test": set(range(8, 11))}
    # Both see that much beside their own ground.
    assert (8 - 6) * TILE_PX > 2 * distorted.MARGIN_PX


def test_a_test_target_is_the_image_and_its_input_has_that_brightness(source):
    (record,) = source.read(items(source)["a__00x09"])
    image = distorted.read(source._data, source.chips[0])
    top, left = distorted.MARGIN_PX, distorted.MARGIN_PX + 9 * TILE_PX
    np.testing.assert_array_equal(record.target, image[top : top + TILE_PX, left : left + TILE_PX])
    assert record.input_dense.shape == (TILE_PX // 2, TILE_PX // 2, 4)
    # White noise blurred to an MTF of 0.2 to 0.3 keeps its mean and little of its spread.
    assert abs(record.input_dense.mean() - record.target.mean()) < 0.02
    assert record.input_dense.std() < 0.5 * record.target.std()


def test_a_training_target_is_moved_and_its_input_is_not(source):
    moved = source.read(items(source)["a__00x01"])[0]
    true = distorted.DistortedSource(source._data, "true", TILE_PX, 0, (), source.chips)
    still = true.read(items(true)["a__00x01"])[0]
    np.testing.assert_array_equal(moved.input_dense, still.input_dense)
    assert np.abs(moved.target - still.target).mean() > 0.01


@pytest.mark.parametrize("name,what", [("a__05x01", "no data"), ("b__00x00", "brighter")])
def test_squares_without_data_and_cloudy_ones_are_left_out(source, name, what):
    with pytest.raises(LeftOut, match=what):
        source.read(items(source)[name])


def test_an_image_that_is_not_there_is_named(source, tmp_path):
    with pytest.raises(InputError, match=r"a\.tif: no such file"):
        distorted.DistortedSource(tmp_path, chips=source.chips).plan()


def test_the_flow_stays_within_what_a_registration_can_say():
    at = np.indices((88, 88)) + 0.5
    flows = np.stack([distorted.flow(0, str(number), *at) for number in range(60)])
    assert 2.0 < np.abs(flows).max() <= 2.5
    # Smooth: a wave of height 1 and length 48 has no steeper slope.
    assert np.abs(np.diff(flows, axis=1)).max() <= 2 * np.pi / 48
    assert not np.allclose(flows[0], flows[1])


def test_nothing_is_left_over_of_a_flow_that_is_undone():
    zero = np.zeros((TILE_PX, TILE_PX, 2))
    before = distorted.left_over(0, "a", zero)
    undone = zero
    for _ in range(30):  # f(p) = -d(p + f(p)), a contraction for so smooth a d
        undone = undone - distorted.left_over(0, "a", undone)
    assert np.abs(before).max() > 0.1
    assert np.abs(distorted.left_over(0, "a", undone)).max() < 1e-6


def test_arms_of_the_benchmark_differ_by_their_targets_alone():
    plain, registered, undistorted = (
        settings(arm, 2) for arm in ("plain", "registered", "undistorted")
    )
    assert plain["seed"] == 2 and "registration" not in plain
    run = {"run": "sisr/registration/2", "train": True}
    assert registered == {**plain, "registration": run}
    assert undistorted == {**plain, "dataset": "undistorted"}


def test_a_gain_is_paired_by_square_and_positive_where_better():
    first, second = array([[1.0, 2.0, None], [1.0, 2.0, None]]), array([[2.0, 3.0, None]] * 2)
    where = {"blocks": ["a", "b", "c"], "scenes": ["s", "t", "u"]}
    few = "no verdict below 4 blocks (2 here)"  # without which a mean would look like a result
    assert paired(first, second, "lower", "x", where) == f"+1, {few}; +1, +1"
    assert paired(first, second, "higher", "x", where).endswith("; -1, -1")
    assert spread(array([[1.0, 3.0], [2.0, 6.0]])) == "3 ± 1.4"


def test_it_asks_for_its_samples(tmp_path):
    for module in ("examples/sisr.py", "-m benchmarks.sisr"):
        words = [sys.executable, *module.split(), "--data", str(tmp_path)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "no folder" in done.stderr


def test_the_table_pairs_both_networks_by_square(monkeypatch):
    def evaluated(value):
        rows = [{"name": name, "rmse": str(value)} for name in "abcd"]
        summary = {"mean": value, "std": 0.0}
        methods = {"model": {"rmse": summary}, "bicubic": {"rmse": {"mean": 0.5, "std": 0.0}}}
        metrics = {"rmse": {"label": "RMSE", "unit": "1", "better": "lower"}}
        return {"metrics": metrics, "summary": methods}, rows

    where = {"blocks": list("wxyz"), "scenes": list("stuv")}
    monkeypatch.setattr(sisr, "places", lambda dataset, names: where)
    lines = sisr.table({sisr.PLAIN: evaluated(0.4), sisr.REGISTERED: evaluated(0.3)}, Path())
    assert lines[-1].startswith("| RMSE ↓ [1] | 0.5 ± 0 | 0.4 ± 0 | 0.3 ± 0 | +0.1 (+0.1 to +0.1)")


def test_lengths_are_summed_by_square():
    lengths = np.stack([np.full((2, 2), 0.1), np.full((2, 2), 0.1), np.full((2, 2), 0.4)])
    assert sisr.rms(lengths) == pytest.approx(np.sqrt(0.06))
    assert sisr.median_rms(lengths) == pytest.approx(0.1)


def test_each_row_of_the_sheet_says_whose_it_is(tmp_path):
    galleries = {}
    for title, grey in (("registered", 60), ("targets as they are", 120)):
        path = tmp_path / f"{grey}.png"
        Image.new("RGB", (200, 20), (grey,) * 3).save(path)
        galleries[title] = [path, path]
    sheet = np.asarray(sisr.stacked(galleries))
    row = sisr.TITLE_PX + 20
    assert sheet.shape == (4 * row, 200, 3)
    assert [int(sheet[top + row - 1, 0, 0]) for top in range(0, 4 * row, row)] == [60, 120] * 2
    titles = [sheet[top : top + sisr.TITLE_PX] for top in range(0, 4 * row, row)]
    ink = [int((title < 128).sum()) for title in titles]
    assert ink[0] == ink[2] > 0 and ink[1] == ink[3] > ink[0]  # the longer one has more of it
    assert all((title[:, :8] == 255).all() and (title[0] == 255).all() for title in titles)
