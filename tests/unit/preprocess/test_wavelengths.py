"""Central wavelengths are those of the satellite that saw a band, from product to data set."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import rasterio

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.records.run import main as step50
from tests.fakes_tiles import grid_tiles, own_environment, write_tiles
from tests.unit.preprocess.tifs_archive import (
    FIRST,
    SECOND,
    folder_of,
    rows_of,
    scene,
    select,
    step40,
)

# As real products of the three satellites give them.
RED_NM = {"S2A": 664.6, "S2B": 665.0, "S2C": 666.5}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """An archive of one scene each of S2A and S2C, and a selection of both."""
    scene(tmp_path / "s2", FIRST, cloud=0.0)
    scene(tmp_path / "s2", SECOND + timedelta(days=3), cloud=0.0, platform="S2C")
    roots = {"data_root": "data", "s2_root": "s2", "s3_root": "s3"}
    (tmp_path / "environment.json").write_text(json.dumps(roots))
    environment = ["--environment", str(tmp_path / "environment.json")]
    assert inventory.main([*environment, "--tile", "T17XNA", "--s2-only"]) == 0
    select(tmp_path, 0, 1, inventory="inv_T17XNA_s2")
    return tmp_path


def test_tiles_have_their_satellite_s_and_the_manifest_their_mean(mixed: Path) -> None:
    assert step40(mixed, "--quantity", "2") == 0
    folder = folder_of(mixed, name="inv_T17XNA_s2")
    for row in rows_of(folder):
        for name in (f"{row['tile']}.tif", f"{row['tile']}_margin.tif"):
            with rasterio.open(folder / name) as source:
                number = source.descriptions.index("B04") + 1
                assert float(source.tags(number)["wavelength_nm"]) == RED_NM[row["overpass"][:3]]
    manifest = json.loads((folder / "manifest.json").read_text())
    red = next(band for band in manifest["bands"] if band["name"] == "B04")
    assert red["wavelength_nm"] == pytest.approx((664.6 + 666.5) / 2, abs=0.051)
    assert manifest["scenes"]["1"]["wavelengths_nm"]["B04"] == 666.5


def test_a_rerun_mends_the_manifest_of_an_earlier_version(mixed: Path) -> None:
    assert step40(mixed, "--quantity", "2") == 0
    folder = folder_of(mixed, name="inv_T17XNA_s2")
    wanted = json.loads((folder / "manifest.json").read_text())["bands"]
    for path in (folder / "scenes").glob("*.json"):
        record = json.loads(path.read_text())
        del record["facts"]["wavelengths_nm"]
        path.write_text(json.dumps(record))
    assert step40(mixed, "--quantity", "2") == 0
    assert json.loads((folder / "manifest.json").read_text())["bands"] == wanted


def at(folder: Path, nm: float | None) -> None:
    """Let a folder of tiles say another wavelength of red."""
    content = json.loads((folder / "manifest.json").read_text())
    for band in content["bands"]:
        if band["name"] == "B04":
            band["wavelength_nm"] = nm
    (folder / "manifest.json").write_text(json.dumps(content))


def test_a_data_set_of_two_inventories_says_the_mean_over_its_tiles(tmp_path: Path) -> None:
    at(write_tiles(tmp_path, grid_tiles(4, 4, 640)), 664.6)
    near = {"inventory": "inv_T17XNB_10h", "corner": (500000.0, 8100000.0)}
    at(write_tiles(tmp_path, grid_tiles(4, 2, 640), **near), 666.5)
    common = ["--dataset", "toy", "--tilesize", "16", "--factors", "3", "--block-tiles", "40"]
    common += ["--train_ratio", "0.6", "--val_ratio", "0.4", *own_environment(tmp_path)]
    common += ["--seed", "1"]  # fills all three splits
    assert step50([*common, "--inventory", "inv_T17XNA_10h"]) == 0
    assert step50([*common, "--inventory", "inv_T17XNB_10h", "--add"]) == 0
    for name in ("cur_toy", "alt3_toy"):
        contract = load_contract(tmp_path / name / "16")
        red = next(band for band in contract.target.bands if band.name == "B04")
        assert red.wavelength_nm == pytest.approx((16 * 664.6 + 8 * 666.5) / 24, abs=0.051)
        told = [one["wavelengths_nm"]["B04"] for one in contract.provenance["inventories"]]
        assert told == [664.6, 666.5]
    same = next(band for band in contract.input.bands if band.name == "B04")
    assert same.wavelength_nm == red.wavelength_nm


@pytest.mark.parametrize(("s3_type", "pixel_m"), [("ERR", 1200.0), ("EFR", 300.0), (None, 300.0)])
def test_the_inventory_says_full_or_reduced_resolution(
    tmp_path: Path, s3_type: str | None, pixel_m: float
) -> None:
    folder = write_tiles(tmp_path, grid_tiles(5, 5, 640))  # its products are called OL_1_EFR
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**content, "s3_type": s3_type}))
    common = ["--dataset", "toy", "--tilesize", "16", "--factors", "3", "--block-tiles", "40"]
    common += ["--train_ratio", "0.6", "--val_ratio", "0.4", *own_environment(tmp_path)]
    assert step50([*common, "--inventory", "inv_T17XNA_10h"]) == 0
    assert load_contract(tmp_path / "cur_toy" / "16").input.pixel_m == pixel_m
