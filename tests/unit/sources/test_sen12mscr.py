"""SEN12MS-CR: records hold the files' numbers, clipped and named, with the mask beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.contract import SPLITS, DatasetContract, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.products.bands import S2_BANDS
from sensor2sensor.sources.sen12mscr.cloudmask import cloud_mask
from sensor2sensor.sources.sen12mscr.layout import Patch, find
from sensor2sensor.sources.sen12mscr.options import BANDS, Sen12Options
from sensor2sensor.sources.sen12mscr.radar import block_mean
from sensor2sensor.sources.sen12mscr.run import main
from sensor2sensor.sources.sen12mscr.source import Sen12Source
from tests.fakes.sen12mscr import triplet_paths, write_triplets
from tests.fakes_tiles import own_environment
from tests.real_data import data_set

SIDE = 32
ADD = "--add, which takes the folder into a data set that is there"
ROIS = {"spring_1": 2, "summer_4": 1, "fall_65": 1, "fall_139": 1}
KEPT = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12]  # of 13, as the ten-band model wants them


def door(root: Path, *words: object, data: str = "clouds") -> int:
    given = ["--data", root / data, *words, *own_environment(root)]
    return main([str(word) for word in given])


def pixels(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return np.moveaxis(source.read(), 0, -1)


def images(root: Path, roi: str, number: int) -> dict[str, np.ndarray]:
    return {kind: pixels(path) for kind, path in triplet_paths(root, roi, number).items()}


def reflectance(numbers: np.ndarray) -> np.ndarray:
    return numbers.clip(0, 10000).astype(np.float32) / np.float32(10000)


def opened(folder: Path) -> tuple[DatasetContract, Mapping[str, TileRecord]]:
    contract = load_contract(folder)
    refs = [ref for split in SPLITS for ref in list_records(folder, split)]
    return contract, {record.name: record for record in iterate_refs(refs, contract)}


def asked(**other: object) -> Sen12Options:
    base = Sen12Options(
        dataset="sen12mscr", name="clouds", bands="all", s1_resolution_m=None, s1_domain="db",
        s1_unit="db", mask="dsen2cr", cloud_threshold=0.2, split="published", split_list=None,
        val_from_train=None, train_ratio=0.95, val_ratio=0.05, seed=42,
    )  # fmt: skip
    return replace(base, **other)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data sets of one folder: as published, and for the ten-band model."""
    root = tmp_path_factory.mktemp("sen12mscr")
    write_triplets(root / "clouds", ROIS, side_px=SIDE)
    assert door(root) == 0
    words = ("--bands", "10m20m", "--s1-resolution", 40, "--mask", "uncrtaints")
    assert door(root, *words, "--s1-domain", "linear", "--cloud-threshold", 0.3) == 0
    return root


def test_every_record_holds_the_numbers_of_its_files(root: Path) -> None:
    contract, records = opened(root / "sen12mscr" / str(SIDE))
    assert [band.name for band in contract.input.bands] == [*S2_BANDS, "VV", "VH"]
    for row in read_split(root / "sen12mscr" / str(SIDE)):
        number = int(row.name.rpartition("_p")[2])
        files = images(root / "clouds", row.overpass, number)
        record = records[row.name]
        assert np.array_equal(record.target, reflectance(files["s2"]))
        assert np.array_equal(record.input_dense[..., :13], reflectance(files["s2_cloudy"]))
        radar = files["s1"].clip([-25, -32.5], [0, 0]).astype(np.float32)
        assert np.array_equal(record.input_dense[..., 13:], radar)
        assert np.array_equal(record.extras["cloud_mask"], cloud_mask(files["s2_cloudy"]))


def test_the_ten_bands_have_the_mask_of_thirteen_and_the_radar_of_40_m(root: Path) -> None:
    contract, records = opened(root / "sen12mscr_10m20m" / str(SIDE))
    name = "clouds__ROIs1158_spring_1_p31"
    files, record = images(root / "clouds", "spring_1", 31), records[name]
    assert np.array_equal(record.target, reflectance(files["s2"][..., KEPT]))
    mask = cloud_mask(files["s2_cloudy"], variant="uncrtaints", threshold=0.3)
    assert np.array_equal(record.extras["cloud_mask"], mask)
    means = block_mean(files["s1"], 4, domain="linear").clip([-25, -32.5], [0, 0])
    assert np.array_equal(record.input_dense[..., 10:], means.astype(np.float32))
    blocks = record.input_dense[..., 10].reshape(SIDE // 4, 4, SIDE // 4, 4)
    assert np.array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))
    assert contract.group("40m") == contract.group("S1") == (10, 11)


def test_dataset_json_says_level_units_mask_and_radar(root: Path) -> None:
    contract = load_contract(root / "sen12mscr_10m20m" / str(SIDE))
    assert [band.name for band in contract.target.bands] == list(BANDS["10m20m"])
    assert {band.unit for band in contract.target.bands} == {"reflectance"}
    assert contract.group("L1C") == contract.group("S2") == tuple(range(10))
    assert contract.group("20m", "target") == (3, 4, 5, 7, 8, 9)
    radar = contract.input.bands[10:]
    assert [(b.name, b.unit, b.value_range) for b in radar] == [
        ("VV", "dB", (-25.0, 0.0)), ("VH", "dB", (-32.5, 0.0)),
    ]  # fmt: skip
    assert {band.value_range for band in contract.input.bands[:10]} == {(0.0, 1.0)}
    (mask,) = contract.extras
    assert (mask.name, mask.dtype, mask.role, mask.variant) == (
        "cloud_mask", "uint8", "mask", "uncrtaints",
    )  # fmt: skip
    assert mask.strata == {"covered": (1, 2), "clear": (0,)}
    assert contract.resolution_m == contract.input.pixel_m == 10 and contract.factor == 1
    assert contract.colour() == contract.colour("input") == (2, 1, 0)
    assert contract.provenance["options"] == {
        "shard": 1, "bands": "10m20m", "s1_resolution_m": 40.0, "s1_domain": "linear",
        "s1_unit": "db", "mask": "uncrtaints", "cloud_threshold": 0.3, "split": "published",
    }  # fmt: skip
    command = "python preprocessing/53_create_tfrecords_sen12mscr.py --data clouds --dataset"
    assert contract.provenance["command"] == (
        f"{command} sen12mscr_10m20m --bands 10m20m --s1-unit db --mask uncrtaints"
        " --cloud-threshold 0.3 --s1-resolution 40 --s1-domain linear"
    )


def test_splits_are_the_published_ones_and_places_are_kept(root: Path) -> None:
    folder = root / "sen12mscr" / str(SIDE)
    contract, rows = load_contract(folder), read_split(folder)
    assert {row.block: row.split for row in rows} == {
        "spring_1": "train", "summer_4": "train", "fall_65": "val", "fall_139": "test",
    }  # fmt: skip
    assert contract.split_policy.by == "given" and contract.split_policy.ground == "crs"
    assert contract.split_policy.ground_shared == {"val": 0.0, "test": 0.0}
    for row in rows:
        number = int(row.name.rpartition("_p")[2])
        path = triplet_paths(root / "clouds", row.overpass, number)["s2"]
        with rasterio.open(path) as source:
            place = (source.crs.to_epsg(), source.bounds.left, source.bounds.top)
        assert (row.epsg, row.ulx_m, row.uly_m) == place


def test_regions_are_drawn_whole(tmp_path: Path, capsys) -> None:
    write_triplets(tmp_path / "clouds", {f"winter_{n}": 2 for n in range(2, 14)}, side_px=16)
    ratios = {"train_ratio": 0.6, "val_ratio": 0.4}
    source = Sen12Source(tmp_path, find(tmp_path / "clouds"), asked(split="roi", seed=3, **ratios))
    words = ("--split", "roi", "--seed", 3, "--train_ratio", 0.6, "--val_ratio", 0.4)
    assert {item.split for item in source.plan().items} == {None}
    assert door(tmp_path, *words, "--dry-run") == 0
    counts = {"train": 0, "val": 0, "test": 0}
    for n in range(2, 14):
        draw = keyed_hash(3, "split", f"winter_{n}")
        counts["train" if draw < 0.6 * 0.6 else "val" if draw < 0.6 else "test"] += 2
    numbers = ", ".join(f"{counts[split]} {split}" for split in SPLITS)
    assert f"would write sen12mscr: {numbers}, 0 dropped" in capsys.readouterr().out


def test_a_list_gives_the_splits_and_validation_is_drawn_where_it_has_none(
    root: Path, tmp_path: Path, capsys
) -> None:
    lines = ["1\ts1\ts2_cloudFree\ts2_cloudy\tROIs1158_spring_1_30.tif"]
    lines += [f"1\ts1\ts2\ts2_cloudy\tROIs1868_summer_{n}_p30.tif" for n in (4, 5)]
    lines += ["3\ts1\ts2\ts2_cloudy\tROIs1970_fall_65_p30.tif"]
    (tmp_path / "list.csv").write_text("\n".join(lines))
    words = ["--data", root / "clouds", "--split-list", tmp_path / "list.csv", "--dataset", "own"]
    given = [str(word) for word in (*words, *own_environment(tmp_path))]
    assert main([*given, "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "name no file here (1): ROIs1868_summer_5_p30" in out
    assert "patches that the list does not name (2) left alone" in out
    assert "1 of 2 regions for training are for validation: the list has none" in out
    rows = read_split(tmp_path / "own" / str(SIDE))
    assert len(rows) == 3 and {row.split for row in rows} == set(SPLITS)
    assert next(row.split for row in rows if row.block == "fall_65") == "test"
    (tmp_path / "list.csv").write_text("\n".join(lines).replace("1\ts1", "2\ts1", 1))
    assert main([*given, "--val-from-train", "1", "--force"]) == 2
    assert "list.csv: has patches for validation; leave out --val-from" in capsys.readouterr().err
    (tmp_path / "list.csv").write_text("1,s1,s2,s2_cloudy,ROIs2017_winter_8_p1.tif")
    assert main([*given, "--force"]) == 2
    assert "list.csv: names no patch that is here; check --data" in capsys.readouterr().err


def test_what_is_missing_or_in_no_list_has_a_line_in_the_table(root: Path, tmp_path: Path) -> None:
    source = Sen12Source(root, find(root / "clouds"), asked())
    write_triplets(tmp_path, {"spring_2": 1}, side_px=SIDE)
    write_triplets(tmp_path, {"spring_1": 2}, side_px=SIDE)
    triplet_paths(tmp_path, "spring_1", 30)["s1"].unlink()
    triplet_paths(tmp_path, "spring_1", 30)["s2"].unlink()
    told = Sen12Source(tmp_path, find(tmp_path), asked()).plan()
    assert {item.name: item.left_out for item in told.items} == {
        "clouds__ROIs1158_spring_1_p30": "no radar image and no clear image beside it",
        "clouds__ROIs1158_spring_1_p31": "",
        "clouds__ROIs1158_spring_2_p30": "spring_2 is in no published list",
    }
    assert told.notes == (
        "left out (1), no radar image and no clear image beside it: ROIs1158_spring_1_p30",
        "regions in no published list (1): spring_2",
    )
    assert all(item.place is not None for item in told.items)
    missing = "ROIs1158_spring_1_p30 has no radar image and no clear image beside it"
    assert told.advice == (f"the images that are missing (first: {missing})", ADD)
    assert told.unread_by == "missing images and regions in no published list"
    assert source.plan().notes == () and source.plan().advice == ("--split roi", ADD)
    assert source.plan().unread_by == ""


def test_an_empty_split_is_told_with_the_reasons_and_ways_that_apply(
    tmp_path: Path, capsys
) -> None:
    write_triplets(tmp_path / "clouds", {"fall_139": 1, "summer_19": 1}, side_px=SIDE)
    triplet_paths(tmp_path / "clouds", "summer_19", 30)["s2"].unlink()
    images = "the images that are missing (first: ROIs1868_summer_19_p30 has no clear image"
    for words in ((), ("--split", "roi")):
        assert door(tmp_path, *words, "--dry-run") == 2
        said = capsys.readouterr().err
        assert "; 1 of 2 tiles are left out by missing images; give it" in said
        assert f"{images} beside it), or {ADD}, or " in said and "--split roi" not in said
    write_triplets(tmp_path / "clouds", {"fall_139": 1, "fall_140": 1, "spring_2": 1}, side_px=SIDE)
    assert door(tmp_path, "--dry-run") == 2
    said = capsys.readouterr().err
    assert "left out by missing images and regions in no published list; give it" in said
    assert f"or --split roi, or {ADD}, or " in said


def test_values_beyond_the_limits_are_clipped_and_linear_radar_is_converted(tmp_path: Path) -> None:
    s1, s2, _ = write_triplets(tmp_path, {"spring_1": 1}, side_px=16)
    db = pixels(s1)
    with rasterio.open(s1, "r+") as file:
        linear = 10 ** (db / 10)
        linear[0, 0], linear[0, 1] = 2.0, (0.0, 1e-9)  # 0 in both bands is no data
        file.write(np.moveaxis(linear, -1, 0))
    with rasterio.open(s2, "r+") as file:
        values = file.read()
        values[:, 0, 0] = 12345
        file.write(values)
    source = Sen12Source(tmp_path, find(tmp_path), asked(s1_unit="linear"))
    # Records of linear power from before padding was told are not taken for these.
    assert (source.version, Sen12Source.version) == (2, 1)
    (item,) = source.plan().items
    (record,) = source.read(item)
    assert record.target[0, 0].tolist() == [1.0] * 13
    assert record.input_dense[0, 0, 13:].tolist() == [0.0, 0.0]
    assert record.input_dense[0, 1, 13:].tolist() == [-25.0, -32.5]
    inside = db[1:].clip([-25, -32.5], [0, 0])
    assert np.abs(record.input_dense[1:, :, 13:] - inside).max() < 1e-4


def test_the_real_triplet_is_read_as_it_is() -> None:
    folder = data_set("SEN12MSCR_PATH")
    found = find(folder)
    patch = Patch("fall", 139, 839)
    (at,) = [n for n, triplet in enumerate(found.triplets) if triplet.patch == patch]
    files = images(folder, "fall_139", 839)
    found = replace(found, triplets=found.triplets[at : at + 1])
    source = Sen12Source(folder, found, asked(s1_resolution_m=40.0))
    (item,) = source.plan().items
    assert (item.split, item.unit, item.place.epsg) == ("test", "fall_139", 32650)
    (record,) = source.read(item)
    assert np.array_equal(record.target, reflectance(files["s2"]))
    assert np.array_equal(record.input_dense[..., :13], reflectance(files["s2_cloudy"]))
    # What the do-nothing baseline of this public patch has to score.
    error = record.input_dense[..., :13] - record.target
    assert float(np.abs(error).mean()) == pytest.approx(0.1087, abs=1e-4)
    covered = record.extras["cloud_mask"] != 0
    assert float(covered.mean()) == pytest.approx(0.931, abs=1e-3)
    means = files["s1"].reshape(64, 4, 64, 4, 2).mean(axis=(1, 3), dtype=np.float64)
    radar = means.clip([-25, -32.5], [0, 0]).repeat(4, 0).repeat(4, 1)
    assert np.abs(record.input_dense[..., 13:] - radar).max() < 1e-5
