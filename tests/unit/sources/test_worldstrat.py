"""WorldStrat raw: looks paired in time, moved onto each other, SPOT averaged once on the grid."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.sources.resampling import axis_weights
from sensor2sensor.sources.worldstrat.area import area_mean
from sensor2sensor.sources.worldstrat.images import (
    L2A_CHOSEN,
    SPOT_CHOSEN,
    Grid,
    Image,
    beside,
    read_image,
)
from sensor2sensor.sources.worldstrat.layout import place_of
from sensor2sensor.sources.worldstrat.pairing import Window, correlation, fit
from sensor2sensor.sources.worldstrat.run import main
from tests.fakes.worldstrat import Look, ground, low_truth, write_raw
from tests.fakes_tiles import own_environment
from tests.real_data import SAMPLES, samples

LOW, SIDE = 40, 32  # of the AOI and of a sample, in pixels of 10 m
START = (LOW - SIDE) // 2
MOVED = (1.3, -0.7)
AOIS = {
    "Landcover-1": ("train", [Look(1, MOVED)]),
    "ASMSpotter-7-1-2": ("train", [Look(2, cloud=0.5), Look(-3, other=True), Look(-4)]),
    "UNHCR-GRCs000078": ("val", [Look(0)]),
    "Amnesty POI-8-2-1": ("test", [Look(9, MOVED)]),
    "Landcover-2": ("test", [Look(30)]),
    "Landcover-3": ("train", [Look(1, blind=0.5)]),
}


def door(root: Path, *words: object) -> int:
    given = ["--data", root / "WorldStrat", "--tilesize", 2 * SIDE, *words, *own_environment(root)]
    return main([str(word) for word in given])


def records(folder: Path) -> dict[str, TileRecord]:
    refs = [ref for split in SPLITS for ref in list_records(folder, split)]
    made = iterate_refs(refs, load_contract(folder))
    return {record.name.removeprefix("WorldStrat__"): record for record in made}


def pairing(folder: Path) -> dict[str, dict[str, str]]:
    rows = csv.DictReader((folder / "pairing.csv").read_text().splitlines())
    return {row["aoi"]: row for row in rows}


def reasons(folder: Path) -> dict[str, str]:
    return {row.block: row.reason for row in read_split(folder)}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("worldstrat")
    write_raw(root / "WorldStrat", AOIS, low_px=LOW)
    # Two grounds that have nothing in common may correlate by 0.1 over so few pixels.
    assert door(root, "--min-correlation", 0.5) == 0
    return root


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "worldstrat_x2" / str(2 * SIDE)


def test_the_input_is_the_file_and_the_target_the_mean_of_spot_over_each_pixel(
    folder: Path, root: Path
) -> None:
    verify_dataset(folder)
    record = records(folder)["UNHCR-GRCs000078"]
    path = root / "WorldStrat/lr_dataset/UNHCR-GRCs000078/L2A/UNHCR-GRCs000078-1-L2A_data.tiff"
    crop = slice(START, START + SIDE)
    stored = read_image(path, 12, L2A_CHOSEN, 1.0).values[crop, crop]
    assert np.abs(record.input_dense - stored).max() < 1e-7
    # Pixels of 1.5 m beside points of 1.25 m: the mean of the same ground, known otherwise.
    fine = low_truth(0, "UNHCR-GRCs000078", 2 * LOW, 5.0)[2 * START : -2 * START, 2 * START :]
    assert np.abs(record.target - fine[:, : 2 * SIDE]).max() < 5e-4


def test_a_shift_of_a_pixel_and_a_third_is_found_and_taken_out(folder: Path) -> None:
    row = pairing(folder)["Landcover-1"]
    assert float(row["moved_px_down"]) == pytest.approx(MOVED[0], abs=0.05)
    assert float(row["moved_px_right"]) == pytest.approx(MOVED[1], abs=0.05)
    assert float(row["correlation"]) > 0.999
    n, count = 8, 2 * SIDE
    at = START * 10.0 + (np.arange(count * n) + 0.5) * 5.0 / n
    seen = ground(0, "Landcover-1", at + 10 * MOVED[0], at + 10 * MOVED[1])
    truth = seen.reshape(count, n, count, n, 4).mean(axis=(1, 3))
    assert np.abs(records(folder)["Landcover-1"].target - truth).max() < 2e-3


def test_the_nearest_look_that_is_clear_and_correlates_is_taken(folder: Path) -> None:
    row = pairing(folder)["ASMSpotter-7-1-2"]
    assert (row["revisit"], row["days"], row["cloud"]) == ("3", "-4", "0")
    told = reasons(folder)
    assert told["Landcover-2"] == "the nearest look is +30 d away, more than 10"
    assert told["Landcover-3"].startswith("no look fits; 1 (+1 d): ")
    assert told["Landcover-3"].endswith("of 1024 pixels have no data")


def test_dataset_json_says_bands_grids_and_licence(folder: Path) -> None:
    contract = load_contract(folder)
    for side in (contract.input, contract.target):
        assert [band.name for band in side.bands] == ["B2", "B3", "B4", "B8"]
        assert {(band.scale, band.nodata) for band in side.bands} == {(1e-4, -1e4)}
        assert side.dtype == "int16"
    assert contract.input_px == (SIDE, SIDE) and contract.tile_px == 2 * SIDE
    assert (contract.factor, contract.resolution_m, contract.input.pixel_m) == (2, 5, 10)
    assert contract.split_policy.ground_shared == {"val": 0.0, "test": 0.0}
    (inventory,) = contract.provenance["inventories"]
    assert inventory["licence"].startswith("CC BY-NC 4.0")
    assert contract.provenance["options"]["min_correlation_test"] == 0.2
    assert "--factor 2 --tilesize 64 --max-days 10" in contract.provenance["command"]


def test_what_is_for_testing_must_correlate_better(root: Path) -> None:
    """Both looks are displaced alike; without co-registration they correlate between the two."""
    words = ("--max-shift", 0, "--min-correlation", 0.5, "--min-correlation-test")
    assert door(root, *words, 0.5, "--dataset", "loose") == 0
    found = pairing(root / "loose" / "64")
    assert {found[aoi]["moved_px_down"] for aoi in found} == {"0"}
    high = float(found["Amnesty POI-8-2-1"]["correlation"])
    assert 0.5 < high < 0.99
    # The test split would be empty: nothing is written and the rule is named.
    assert door(root, *words, 0.99, "--dataset", "strict") == 2
    assert not (root / "strict" / "64" / "dataset.json").exists()


def test_the_layout_with_12bit_between_gives_equal_records(
    root: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / "WorldStrat", tmp_path / "WorldStrat")
    for side in ("hr_dataset", "lr_dataset"):
        (tmp_path / "WorldStrat" / side).rename(tmp_path / "12bit")
        (tmp_path / "WorldStrat" / side).mkdir()
        (tmp_path / "12bit").rename(tmp_path / "WorldStrat" / side / "12bit")
    assert door(tmp_path, "--min-correlation", 0.5) == 0
    made, there = records(tmp_path / "worldstrat_x2/64"), records(folder)
    assert made.keys() == there.keys()
    assert all(np.array_equal(made[name].target, there[name].target) for name in made)


def test_a_factor_of_four_and_several_crops_of_an_aoi(tmp_path: Path) -> None:
    aois = {f"Landcover-{n}": (split, [Look()]) for n, split in enumerate(SPLITS)}
    write_raw(tmp_path / "WorldStrat", aois, low_px=LOW)
    assert door(tmp_path, "--factor", 4) == 0  # 64 pixels of 2.5 m are 16 of 10 m: four in 40
    made = records(tmp_path / "worldstrat_x4/64")
    assert sorted(n for n in made if n.startswith("Landcover-0")) == [
        "Landcover-0_20x20", "Landcover-0_20x4", "Landcover-0_4x20", "Landcover-0_4x4",
    ]  # fmt: skip
    means = made["Landcover-1_4x20"].target.reshape(16, 4, 16, 4, 4).mean(axis=(1, 3))
    assert np.abs(means - made["Landcover-1_4x20"].input_dense).max() < 5e-4


def test_an_aoi_in_two_splits_stops_until_it_is_excluded(tmp_path: Path, capsys) -> None:
    aois = {f"ASMSpotter-9-1-{n}": (split, [Look()]) for n, split in enumerate(SPLITS)}
    write_raw(tmp_path / "WorldStrat", {**aois, "Landcover-9": ("train", [Look()])}, low_px=LOW)
    table = tmp_path / "WorldStrat/stratified_train_val_test_split.csv"
    table.write_text(table.read_text() + "9,Landcover-9,Forest,val\n")
    assert door(tmp_path, "--dry-run") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "has 1 AOIs in two splits: Landcover-9; train would show what is tested" in line
    (tmp_path / "leave.txt").write_text("Landcover-9\n")
    assert door(tmp_path, "--exclude", tmp_path / "leave.txt") == 0
    assert "AOIs of 1 places are in more than one split (ASMSpotter-9)" in capsys.readouterr().out
    folder = tmp_path / "worldstrat_x2/64"
    assert reasons(folder)["Landcover-9"] == "excluded by leave.txt:1"
    assert load_contract(folder).provenance["inventories"][0]["excluded_by"] == ["leave.txt"]


def test_places_are_drawn_whole(tmp_path: Path) -> None:
    names = [f"ASMSpotter-{place}-1-{n}" for place in range(4) for n in (1, 2)]
    write_raw(tmp_path / "WorldStrat", {name: ("train", [Look()]) for name in names}, low_px=LOW)
    table = tmp_path / "WorldStrat/stratified_train_val_test_split.csv"
    table.write_text(table.read_text() + f"9,{names[0]},Forest,val\n")  # it is not asked
    words = ("--split", "place", "--train_ratio", 0.7, "--val_ratio", 0.4, "--seed", 0)
    assert door(tmp_path, *words) == 0
    rows = read_split(tmp_path / "worldstrat_x2/64")
    splits = {place_of(row.overpass): row.split for row in rows}
    assert {row.split for row in rows} == set(SPLITS)
    assert all(splits[place_of(row.overpass)] == row.split for row in rows)
    assert {row["split"] for row in pairing(tmp_path / "worldstrat_x2/64").values()} == set(SPLITS)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("metadata.csv|lowres_date|date", "has no column 'lowres_date'; nearest: "),
        ("metadata.csv|2020-05-17\n|soon\n", "metadata.csv:2: 'soon' is no date; 2020-05-17"),
        ("stratified_train_val_test_split.csv|,train|,trian", ":2: has the split 'trian'; nearest"),
        ("stratified_train_val_test_split.csv|Settlement,|", "has 3 columns, the header 4"),
    ],
)
def test_a_damaged_table_is_one_line(root: Path, damage: str, says: str, capsys) -> None:
    name, old, new = damage.split("|")
    path = root / "WorldStrat" / name
    whole = path.read_text()
    path.write_text(whole.replace(old, new))
    try:
        assert door(root, "--dry-run") == 2
    finally:
        path.write_text(whole)
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_faults_are_told_by_file_and_the_other_samples_are_kept(tmp_path: Path, capsys) -> None:
    names = [f"Landcover-{n}" for n in range(8)]
    aois = {name: (SPLITS[n % 3], [Look()]) for n, name in enumerate(names)}
    write_raw(tmp_path / "WorldStrat", aois, low_px=LOW)
    spot = [tmp_path / f"WorldStrat/hr_dataset/{name}/{name}_ps.tiff" for name in names]
    spot[3].write_bytes(spot[3].read_bytes()[:2000])
    spot[4].unlink()
    spot[5].with_name("Landcover-5_pan.tiff").rename(spot[5])
    anew(spot[6], transform=lambda t: rasterio.Affine(t.a, 0, t.c + 0.01, 0, t.e, t.f))
    cloud = tmp_path / "WorldStrat/lr_dataset/Landcover-7/L2A/Landcover-7-1-CLM.tiff"
    anew(cloud, height=lambda n: n // 2)
    assert door(tmp_path) == 1
    out = capsys.readouterr().out
    assert "Landcover-3_ps.tiff: cannot be read, or is cut short" in out
    assert "Landcover-5_ps.tiff: has 1 bands, not 4" in out
    assert "Landcover-6_ps.tiff: begins 79 pixels of the low image from it" in out
    assert "Landcover-7-1-CLM.tiff: has 20 x 40 pixels, its image 40 x 40" in out
    told = {row.block: (row.split, row.reason) for row in read_split(tmp_path / "worldstrat_x2/64")}
    assert told["Landcover-4"] == ("dropped", "has no Landcover-4_ps.tiff")
    assert [told[name][0] for name in names[5:]] == ["refused"] * 3
    assert set(pairing(tmp_path / "worldstrat_x2/64")) == set(names[:3])


def anew(path: Path, **changes: Callable[[Any], Any]) -> None:
    """Write a file anew, with other entries of its profile; rows that do not fit are left out."""
    with rasterio.open(path) as source:
        pixels, profile = source.read(), dict(source.profile)
    profile |= {key: change(profile[key]) for key, change in changes.items()}
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels[:, : profile["height"]])


def test_an_image_that_is_turned_over_is_refused(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "A_ps.tiff"
    shutil.copyfile(root / "WorldStrat/hr_dataset/Landcover-1/Landcover-1_ps.tiff", path)
    anew(path, transform=lambda t: rasterio.Affine(t.a, 0, t.c, 0, -t.e, t.f))
    with pytest.raises(DatasetError, match=r"A_ps.tiff: is not north-up"):
        read_image(path, 4, SPOT_CHOSEN, 1e4)


def test_area_means_are_those_of_the_other_implementation_and_nothing_is_lost() -> None:
    pixels = np.random.default_rng(3).random((30, 30, 2))
    image = Image(Path("x"), pixels, np.ones((30, 30), bool), Grid("", 0, 0, 1, 1, (30, 30)))
    means, known = area_mean(image, np.linspace(0, 30, 8), np.linspace(0, 30, 8))
    weights = axis_weights(30, 7, area=True).toarray()
    assert known.all()
    assert np.allclose(means, np.einsum("nh,hwc,mw->nmc", weights, pixels, weights), atol=1e-12)
    assert np.allclose(means.mean(axis=(0, 1)), pixels.mean(axis=(0, 1)), atol=1e-12)
    moved, known = area_mean(image, np.linspace(0, 30, 8) + 0.5, np.linspace(0, 30, 8))
    assert known[:-1].all() and not known[-1].any() and not np.allclose(moved, means)


def test_without_georeference_both_images_show_the_same_area(root: Path) -> None:
    where = root / "WorldStrat"
    low = read_image(
        where / "lr_dataset/Landcover-1/L2A/Landcover-1-1-L2A_data.tiff", 12, L2A_CHOSEN, 1.0
    )
    high = read_image(where / "hr_dataset/Landcover-1/Landcover-1_ps.tiff", 4, SPOT_CHOSEN, 1e4)
    lone = Image(high.path, high.values, high.valid, Grid("", 0, 0, 1, 1, high.grid.shape))
    window = Window(START, START, SIDE)
    known, unknown = (fit(low, beside(one, low), window, 3.0) for one in (high, lone))
    assert known is not None and unknown is not None
    assert unknown.shift == known.shift
    assert unknown.correlation == pytest.approx(known.correlation, abs=1e-9)


def test_the_shift_of_real_ground_is_found_under_haze_noise_and_another_gain() -> None:
    """Aerial photos as SPOT: the low image is their mean elsewhere, in other units."""
    paths = sorted((samples() / "aerial_naip").glob("*.tif"))
    if not paths:
        pytest.skip(f"no aerial photos (set {SAMPLES})")
    draw, step, count = np.random.default_rng(0), 20 / 3, 96
    for path in paths:
        high = read_image_of(path)
        moved = draw.uniform(-2, 2, 2)
        rows, columns = ((3 + part + np.arange(count + 1)) * step for part in moved)
        means, known = area_mean(high, rows, columns)
        assert known.all()
        seen = means * [0.8, 0.9, 1.1, 0.6] + 0.05 + draw.normal(0, 0.01, means.shape)
        grid = Grid("local", 3 * step, -3 * step, step, step, (count, count))
        found = fit(Image(path, seen, known, grid), high, Window(8, 8, 80), 3.0)
        assert found is not None and found.correlation > 0.95
        assert np.hypot(*np.subtract(found.shift, moved)) < 0.05


def read_image_of(path: Path) -> Image:
    with rasterio.open(path) as source:
        pixels = np.moveaxis(source.read(), 0, -1)[..., [2, 1, 0, 3]] / 255.0
    valid = np.ones(pixels.shape[:2], bool)
    return Image(path, pixels, valid, Grid("local", 0, 0, 1, 1, valid.shape))


def test_correlation_is_the_mean_over_the_bands() -> None:
    ramp = np.arange(12.0).reshape(3, 4)
    first = np.stack([ramp, ramp, np.ones_like(ramp)], axis=-1)
    second = np.stack([2 * ramp + 1, -ramp, ramp], axis=-1)
    assert correlation(first, second) == pytest.approx(0.0)
    assert correlation(first[..., :1], second[..., :1]) == pytest.approx(1.0)
    assert json.dumps(correlation(first[..., 2:], second[..., 2:])) == "0.0"
