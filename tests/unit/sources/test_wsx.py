"""wsx2 and wsx4: pairs as their index lists them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.sources.worldstrat.layout import place_of
from sensor2sensor.sources.worldstrat.run import main
from tests.fakes.worldstrat import write_derived
from tests.fakes_tiles import own_environment

ROWS = [
    ("Landcover-1_0", "train", 0.5),
    ("Landcover-2_0", "train", 0.15),
    ("Landcover-3_0", "train", 0.1),  # not above it
    ("UNHCR-A1_9", "val", 0.3),
    ("Amnesty_POI-8-2-1_4", "test", 0.15),
    ("Amnesty_POI-8-2-2_4", "test", 0.25),
]


def door(root: Path, *words: object) -> int:
    return main([str(w) for w in ("--data", root / "wsx", *words, *own_environment(root))])


def index(root: Path) -> Path:
    return root / "wsx" / "index.csv"


def changed(path: Path, **profile: object) -> np.ndarray:
    """Write a file anew; returns its pixels as they were."""
    with rasterio.open(path) as source:
        pixels, kept = source.read(), {**source.profile, **profile}
    with rasterio.open(path, "w", **kept) as file:
        file.write(pixels.astype(kept["dtype"]))
    return pixels


@pytest.mark.parametrize("factor", [2, 4])
def test_records_hold_the_numbers_of_the_files(tmp_path: Path, factor: int, capsys) -> None:
    write_derived(tmp_path / "wsx", ROWS, factor=factor)
    index(tmp_path).write_bytes(index(tmp_path).read_bytes().replace(b"\n", b"\r\n"))
    assert door(tmp_path) == 0
    assert "licence of the data: CC BY-NC 4.0" in capsys.readouterr().out
    folder = tmp_path / f"wsx{factor}" / str(32 * factor)
    contract = load_contract(folder)
    assert contract.input_px == (32, 32) and contract.factor == factor
    assert contract.resolution_m == 10 / factor
    refs = [ref for split in SPLITS for ref in list_records(folder, split)]
    assert len(refs) == 4
    for record in iterate_refs(refs, contract):
        stem = record.name.removeprefix("wsx__hr_").removesuffix("_hr")
        for side, values in (("hr", record.target), ("lr", record.input_dense)):
            with rasterio.open(tmp_path / "wsx" / side / f"{stem}_{side}.tif") as source:
                numbers = np.moveaxis(source.read(), 0, -1)
            assert np.array_equal(values, numbers.astype(np.float32) / np.float32(10_000))
        (correlation,) = [c for name, _, c in ROWS if name == stem]
        assert record.extras["correlation"] == np.float32(correlation)
    rows = {row.block: row for row in read_split(folder)}
    assert rows["Landcover-3"].reason == "correlation 0.100 is not above 0.1"
    assert rows["Amnesty POI-8-2-1"].reason == "correlation 0.150 is not above 0.2"
    assert (folder / "pairing.csv").read_text().count("\n") == 5


def test_paths_of_another_machine_and_a_split_without_validation(tmp_path: Path, capsys) -> None:
    rows = [(f"Landcover-{n}_0", "test" if n > 10 else "train", 0.5) for n in range(13)]
    write_derived(tmp_path / "wsx", rows)
    text = index(tmp_path).read_text()
    index(tmp_path).write_text(text.replace("hr/", "/data/wsx2/hr/").replace("lr/", "/d/lr/"))
    assert door(tmp_path, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "1 of 11 AOIs for training (1 of 11 places) are for validation: none was" in out
    assert "would write wsx2: 10 train, 1 val, 2 test, 0 dropped" in out


def test_drawn_validation_is_of_whole_places(tmp_path: Path, capsys) -> None:
    rows = [(f"Amnesty_POI-{p}-1-{n}", "train", 0.5) for p in range(3) for n in range(3)]
    write_derived(tmp_path / "wsx", [*rows, ("Landcover-9", "test", 0.5)], low_px=8)
    splits = set()
    for seed in range(4):
        assert door(tmp_path, "--seed", seed, "--force") == 0
        out = capsys.readouterr().out
        assert "3 of 9 AOIs for training (1 of 3 places) are for validation: none was" in out
        assert "places are in more than one split" not in out
        rows_there = [row for row in read_split(tmp_path / "wsx2/16") if row.split != "test"]
        found = {(place_of(row.block), row.split) for row in rows_there}
        assert sorted(split for _, split in found) == ["train", "train", "val"]
        splits |= found
    assert len(splits) > 3  # the seed draws


def test_a_train_split_of_one_place_has_no_validation_to_spare(tmp_path: Path, capsys) -> None:
    rows = [(f"Amnesty_POI-1-1-{n}", "train", 0.5) for n in range(3)]
    write_derived(tmp_path / "wsx", [*rows, ("Landcover-9", "test", 0.5)], low_px=8)
    assert door(tmp_path, "--dry-run") == 2
    assert "has no validation, and its AOIs for training are of 1 place" in capsys.readouterr().err


def test_places_in_two_published_splits_are_told_after_the_draw(tmp_path: Path, capsys) -> None:
    rows = [("ASMSpotter-1-1-1", "train", 0.5), ("ASMSpotter-1-1-2", "test", 0.5)]
    rows += [(f"Landcover-{n}", "train", 0.5) for n in range(3)]
    write_derived(tmp_path / "wsx", rows, low_px=8)
    assert door(tmp_path, "--dry-run") == 0
    (told,) = [x for x in capsys.readouterr().out.splitlines() if "more than one split" in x]
    assert "(ASMSpotter-1)" in told and "--split place" not in told


@pytest.mark.parametrize(
    "written", ["Amnesty_POI-8-2-1", "amnesty poi-8-2-1", "hr/Amnesty_POI-8-2-1_ps.tiff"]
)
def test_aois_are_excluded_however_they_are_spelled(tmp_path: Path, written: str) -> None:
    rows = [("Amnesty_POI-8-2-1", "train", 0.5), ("0007", "train", 0.5)]
    rows += [(f"Landcover-{n}", split, 0.5) for n, split in enumerate(SPLITS)]
    write_derived(tmp_path / "wsx", rows, low_px=8)
    # Where names tell no AOI a file is excluded by its own.
    (tmp_path / "x.txt").write_text(f"{written}\n0007_hr.tif\n")
    assert door(tmp_path, "--exclude", tmp_path / "x.txt") == 0
    told = {row.name: row.reason for row in read_split(tmp_path / "wsx2/16")}
    assert told["wsx__hr_Amnesty_POI-8-2-1_hr"] == "excluded by x.txt:1"
    assert told["wsx__hr_0007_hr"] == "excluded by x.txt:2"
    (facts,) = load_contract(tmp_path / "wsx2/16").provenance["inventories"]
    assert facts["excluded_by"] == ["x.txt"] and "exclusions_unmatched" not in facts


def test_a_list_that_leaves_nothing_out_is_told_or_stops(tmp_path: Path, capsys) -> None:
    rows = [(f"Landcover-{n}", split, 0.5) for n, split in enumerate([*SPLITS, "train"])]
    write_derived(tmp_path / "wsx", rows, low_px=8)
    (tmp_path / "x.txt").write_text("Landcovr-3\nLandcover-77\n")
    assert door(tmp_path, "--exclude", tmp_path / "x.txt") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "looking at" not in x]
    assert "x.txt: none of its 2 entries is in the data: x.txt:1 (Landcovr-3), " in line
    assert "nearest: 'Landcover-3'" in line
    assert not list(tmp_path.glob("wsx2/*/dataset.json"))
    (tmp_path / "x.txt").write_text("Landcovr-3\nLandcover-3\n")
    assert door(tmp_path, "--exclude", tmp_path / "x.txt") == 0
    told = "warning: 1 of 2 entries of --exclude are not in the data and leave nothing out: "
    assert told + "x.txt:1 (Landcovr-3)" in capsys.readouterr().out
    (facts,) = load_contract(tmp_path / "wsx2/16").provenance["inventories"]
    assert facts["exclusions_unmatched"] == 1


def test_pixels_of_one_area_under_two_names_in_two_splits_stop(tmp_path: Path, capsys) -> None:
    rows = [(f"Landcover-{n}", split, 0.5) for n, split in enumerate([*SPLITS, "test"])]
    paths = write_derived(tmp_path / "wsx", rows, low_px=8)
    with rasterio.open(paths[0][1]) as source:
        pixels, low = source.read(), paths[3][1]
    with rasterio.open(low, "r+") as file:
        file.write(pixels)
    assert door(tmp_path, "--dry-run") == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "looking at" not in x]
    assert "AOIs of two splits share ground: Landcover-0 (train) and Landcover-3 (test)" in line
    # A place alone is told: nobody has checked those of the published files.
    place = rasterio.open(paths[0][1]).transform
    with rasterio.open(low, "r+") as file:
        file.write(pixels + 1)
        file.transform = place
    assert door(tmp_path, "--dry-run") == 0
    assert "share up to 100% of their ground: Landcover-0 (train)" in capsys.readouterr().out


def test_faults_of_pairs_are_told_by_file(tmp_path: Path, capsys) -> None:
    rows = [(f"Landcover-{n}_0", SPLITS[n % 3], 0.5) for n in range(7)]
    paths = write_derived(tmp_path / "wsx", rows)
    changed(paths[3][0], dtype="uint8")
    paths[4][1].unlink()
    with rasterio.open(paths[5][1], "r+") as file:
        pixels = file.read()
        pixels[2, 4, 4] = -10_000
        pixels[0, 0, 0] = -300  # a negative reflectance is one
        file.write(pixels)
    with rasterio.open(paths[6][1], "r+") as file:
        pixels = file.read()
        pixels[0, 0, 0], pixels[1, 1, 1] = -300, 16_000
        file.write(pixels)
    assert door(tmp_path) == 1
    out = capsys.readouterr().out
    assert "Landcover-3_0_hr.tif: is of uint8, which holds no reflectance" in out
    assert "Landcover-4_0_lr.tif: is not there" in out
    rows_there = {row.block: row for row in read_split(tmp_path / "wsx2/64")}
    assert rows_there["Landcover-5"].reason.startswith("1 of 1024 pixels of Landcover-5_0_lr")
    refs = list_records(tmp_path / "wsx2/64", "train")
    made = {r.name: r for r in iterate_refs(refs, load_contract(tmp_path / "wsx2/64"))}
    kept = made["wsx__hr_Landcover-6_0_hr"].input_dense
    assert (kept[0, 0, 0], kept[1, 1, 1]) == (np.float32(-0.03), np.float32(1.6))


def test_names_without_an_aoi_are_groups_of_their_own_and_said_so(tmp_path: Path, capsys) -> None:
    write_derived(tmp_path / "wsx", [(f"{n:04d}", SPLITS[n], 0.5) for n in range(3)])
    assert door(tmp_path) == 0
    assert "warning: 3 of 3 names tell no AOI (0000_hr.tif, " in capsys.readouterr().out


def test_an_aoi_in_two_splits_stops(tmp_path: Path, capsys) -> None:
    write_derived(tmp_path / "wsx", [*ROWS, ("Landcover-1_1", "val", 0.5)])
    assert door(tmp_path, "--dry-run") == 2
    assert "index.csv: has 1 AOIs in two splits: Landcover-1; " in capsys.readouterr().err
    (tmp_path / "opensr.csv").write_text("aoi,country\nLandcover-1,FR\n")
    assert door(tmp_path, "--dry-run", "--exclude", tmp_path / "opensr.csv") == 0


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("correlation\n", "correl\n", "index.csv: has no column 'correlation'; nearest: 'correl'"),
        ("\t0.5\n", "\tgood\n", "index.csv:2: correlation 'good' is no number"),
        ("\ttrain\t0.5", "\ttrian\t0.5", "index.csv:2: has the split 'trian'; nearest: 'train'"),
        ("hr/Landcover-1_0", "../Landcover-1_0", "names the file '../Landcover-1_0_hr.tif'"),
        ("\t", ",", "its columns stand between tabs"),
    ],
)
def test_a_damaged_index_is_one_line(tmp_path: Path, old: str, new: str, says: str, capsys) -> None:
    write_derived(tmp_path / "wsx", ROWS)
    index(tmp_path).write_text(index(tmp_path).read_text().replace(old, new))
    assert door(tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_options_that_do_nothing_are_refused(tmp_path: Path, capsys) -> None:
    write_derived(tmp_path / "wsx", ROWS)
    assert door(tmp_path, "--max-days", 3, "--train_ratio", 0.5, "--min-correlation", 2) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--max-days would do nothing for pairs that are made already" in line
    assert "ratios would do nothing" in line and "--min-correlation 2.0 is not in [0, 1]" in line
