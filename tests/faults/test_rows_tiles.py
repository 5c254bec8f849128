"""Rows 9 to 12, 16, 19 and 20 of the fault table at the door of step 40.

What is asserted of each: a line that names the file at fault, the exit code, that the other scene
has its tiles, that no file of the bad one is there, and none half-written.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from sensor2sensor.core import files
from tests.unit.preprocess.tifs_archive import (
    archive,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    made = archive(tmp_path / "a")
    select(made, *scenes(made))
    return made


def first_of(root: Path) -> tuple[int, int]:
    """The scene whose product lies in a folder, and the other one."""
    (name,) = (path.name for path in (root / "s2").glob("*.SAFE"))
    return tuple(sorted(scenes(root), key=lambda scene: name not in _products(root)[scene]))


def _products(root: Path) -> dict[int, str]:
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.preprocess.inventory.table import read_inventory
    from tests.unit.preprocess.tifs_archive import INVENTORY

    known = read_inventory(load_environment(root / "environment.json"), INVENTORY).scenes()
    return {scene: rows[0].s2 for scene, rows in known.items()}


def image(root: Path) -> Path:
    return next((root / "s2").glob("*.SAFE/GRANULE/*/IMG_DATA/*_B03.jp2"))


def fails_alone(root: Path, capsys, said: list[str], *options: str) -> None:
    """Step 40 fails the first scene by name, makes the other's tiles, and leaves nothing else."""
    bad, good = first_of(root)
    before = outside_data(root)
    assert step40(root, "--quantity", "2", *options) == 1
    told = capsys.readouterr()
    (line,) = [line for line in told.out.splitlines() if line.startswith("  failed:")]
    assert f"scene {bad:05d}" in line and all(word in line for word in said), line
    assert "Traceback" not in told.out + told.err
    folder = folder_of(root)
    assert {int(row["scene"]) for row in rows_of(folder)} == {good}
    there = [path.name for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in there if name.startswith(f"{bad:05d}_")]
    assert not [name for name in there if name.endswith(files.PART_SUFFIX)]
    assert outside_data(root) == before


def outside_data(root: Path) -> dict[str, bytes]:
    return {name: data for name, data in tree(root).items() if not name.startswith("data/")}


@pytest.mark.parametrize("keep", [0.05, 0.5, 0.99])
def test_row_9_a_truncated_image(both, capsys, keep) -> None:
    place = image(both)
    place.write_bytes(place.read_bytes()[: int(place.stat().st_size * keep)])
    fails_alone(both, capsys, ["_B03.jp2"], "--no-verify")


def test_row_10_flipped_bits_are_found_by_the_checksum(both, capsys) -> None:
    place = image(both)
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 4
    place.write_bytes(bytes(data))
    fails_alone(both, capsys, ["_B03.jp2", "SHA3-256 differs"])


def flipped(place: Path) -> bytes:
    """The bytes of a radiance file with some of its first deflated chunk turned over."""
    with h5py.File(place) as file:
        at = file[place.stem].id.get_chunk_info(0).byte_offset
    data = bytearray(place.read_bytes())
    data[at + 8 : at + 72] = bytes(byte ^ 0xFF for byte in data[at + 8 : at + 72])
    return bytes(data)


def partners(root: Path) -> list[Path]:
    """The Sentinel-3 products of the scene of the folder."""
    return sorted((root / "s3/2022/07").glob("S3?_OL_1_EFR____20220714*.SEN3"))


@pytest.mark.parametrize("harm", ["cut", "empty", "page", "flipped"])
def test_row_11_a_damaged_netcdf(both, capsys, harm) -> None:
    assert len(partners(both)) == 2
    for partner in partners(both):
        place = partner / "Oa05_radiance.nc"
        data = place.read_bytes()
        told = {"cut": data[:-1], "empty": b"", "page": b"<!DOCTYPE html>"}
        place.write_bytes(told[harm] if harm in told else flipped(place))
    fails_alone(both, capsys, ["Oa05_radiance.nc"], "--no-verify")


def test_row_12_a_swath_of_fill_values_gives_no_tile(both, capsys) -> None:
    for partner in partners(both):
        with h5py.File(partner / "Oa08_radiance.nc", "r+") as file:
            file["Oa08_radiance"][...] = 65535
        with h5py.File(partner / "instrument_data.nc", "r+") as file:
            file["detector_index"][...] = -1
    # All of 103 041 places that are drawn are tried; only the first of them are read.
    fails_alone(both, capsys, ["no OLCI"], "--no-verify")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("ice.kml", b"", "XML"),
        ("ice.kml", b"PK\x03\x04", "KMZ"),
        ("ice.kml", b"<kml><Document/></kml>", "no polygon"),
        ("ice.kml", b'<!DOCTYPE k [<!ENTITY a "aa">]><kml>&a;</kml>', "hostile"),
        (
            "ice.kml",
            b"<kml><Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>500000,7000000"
            b" 500100,7000000 500100,7000100 500000,7000000</coordinates></LinearRing>"
            b"</outerBoundaryIs></Polygon></Placemark></kml>",
            "degrees",
        ),
        ("snow.kml", b"<kml/>", "ice"),
    ],
    ids=["empty", "kmz", "no polygon", "bomb", "metres", "another name"],
)
def test_row_16_a_mask_that_is_none_stops_before_anything_is_written(
    both, capsys, name, content, said
) -> None:
    masks = both / "data" / "_masks"
    masks.mkdir()
    (masks / name).write_bytes(content)
    before = tree(both)
    assert step40(both, "--masks", "ice") == 2
    told = capsys.readouterr().err
    assert "ice" in told and said in told and "Traceback" not in told
    assert tree(both) == before


KILLER = """
import os, sys


def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
        if "MARK" in os.fspath(arguments[0]):
            os._exit(137)


sys.addaudithook(hook)
"""


def test_row_19_a_worker_that_is_killed_twice_over_one_scene(both, tmp_path, capsys, monkeypatch):
    """As the kernel does when memory is short: the process is gone without a word."""
    place = tmp_path / "hook"
    place.mkdir()
    (name,) = (path.name for path in (both / "s2").glob("*.SAFE"))
    (place / "sitecustomize.py").write_text(KILLER.replace("MARK", f"{name}/MTD_MSI"))
    monkeypatch.setenv("PYTHONPATH", str(place))  # of the workers, processes of their own
    fails_alone(
        both, capsys, ["worker process", "exit code 137, and with it alone"], "--workers", "2"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: select(root, *scenes(root), 71, 72), ["71", "72"]),
        (lambda root: select(root, scenes(root)[0], scenes(root)[0]), ["twice"]),
        (lambda root: select(root, 0, products={"0": "S2A_MSIL1C_OTHER"}), ["OTHER"]),
    ],
    ids=["unknown ids", "duplicates", "another product"],
)
def test_row_20_a_selection_that_does_not_fit(both, capsys, change, said) -> None:
    change(both)
    before = tree(both)
    assert step40(both) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in said), told
    assert tree(both) == before
