"""Step 40 and the Sentinel-3 partners of a scene: which is taken, its time, what it leaves out."""

from __future__ import annotations

import shutil
import zipfile
from datetime import timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.inventory.table import read_inventory
from tests.unit.preprocess.tifs_archive import (
    CENTRE,
    FIRST,
    INVENTORY,
    folder_of,
    overpass,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


def passes_of(root: Path, scene: int) -> list[Path]:
    """The Sentinel-3 products of a scene, the nearest in time first."""
    rows = read_inventory(load_environment(root / "environment.json"), INVENTORY).scenes()[scene]
    return [root / "s3" / row.s3 for row in sorted(rows, key=lambda row: row.timediff_h)]


def flip_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


def test_a_scene_fails_alone_when_no_partner_can_be_used(both, capsys):
    scene, *_ = scenes(both)
    nearest, second = passes_of(both, scene)
    flip_bit(nearest / "Oa05_radiance.nc")
    flip_bit(second / "Oa06_radiance.nc")
    assert step40(both, "--quantity", "1") == 1
    said = capsys.readouterr().out
    assert f"scene {scene:05d}" in said
    assert "Oa05_radiance.nc" in said and "Oa06_radiance.nc" in said
    assert {int(row["scene"]) for row in rows_of(folder_of(both))} == set(scenes(both)) - {scene}


@pytest.mark.parametrize("harm", ["gone", "hollow", "flipped", "cut"])
def test_the_next_partner_is_taken_where_the_nearest_cannot_be_used(both, capsys, harm):
    scene, *_ = scenes(both)
    select(both, scene)
    nearest, second = passes_of(both, scene)
    aside = both / "aside"
    if harm == "gone":
        nearest.rename(aside)
    else:
        shutil.copytree(nearest, aside)
        if harm == "hollow":
            (nearest / "xfdumanifest.xml").unlink()
        elif harm == "flipped":
            flip_bit(nearest / "Oa05_radiance.nc")
        else:
            file = nearest / "geo_coordinates.nc"
            file.write_bytes(file.read_bytes()[:3000])
    options = ["--quantity", "2", *(["--no-verify"] if harm == "cut" else [])]
    assert step40(both, *options) == 0
    said = capsys.readouterr().out
    assert nearest.name in said and f"{second.name} takes its place" in said
    rows = rows_of(folder_of(both))
    assert {Path(row["s3"]).name for row in rows} == {second.name} and len(rows) == 2
    assert all(0.8 < float(row["time_gap_h"]) < 0.85 for row in rows)
    before = tree(both / "data")
    assert step40(both, *options) == 0
    assert tree(both / "data") == before
    assert "takes its place" in capsys.readouterr().out
    if harm == "gone":
        aside.rename(nearest)
        assert step40(both, *options) == 0
        assert {Path(row["s3"]).name for row in rows_of(folder_of(both))} == {nearest.name}


def test_the_time_gap_is_that_of_the_rows_a_tile_uses_with_its_sign(both):
    step40(both, "--quantity", "3")
    rows = rows_of(folder_of(both))
    signs = set()
    for row in rows:
        s3 = both / "s3" / row["s3"]
        used = np.load(folder_of(both) / f"{row['tile']}_olci.npz")["rowcol"][:, 0]
        used = used[: int(row["olci_pixels"])]
        with h5py.File(_member(s3, both)) as file:
            stamps = file["time_stamp"][:][used].astype("timedelta64[us]")
        seen = np.datetime64("2000-01-01", "us") + stamps
        # The generated tile is seen 4 s after its datatake begins.
        start = np.datetime64(row["s2date"].removesuffix("Z"), "us") + np.timedelta64(4, "s")
        expected = float((seen - start).astype(np.int64).mean()) / 3.6e9
        assert float(row["time_gap_h"]) == pytest.approx(expected, abs=5e-5)
        signs.add(expected > 0)
    assert signs == {True, False}


def _member(s3: Path, root: Path) -> Path:
    """The time stamps of a product, unpacked where it is a zip."""
    if s3.is_dir():
        return s3 / "time_coordinates.nc"
    with zipfile.ZipFile(s3) as archive:
        name = next(one for one in archive.namelist() if one.endswith("time_coordinates.nc"))
        return Path(archive.extract(name, root / "unpacked"))


def test_another_frame_of_the_pass_is_said(both, capsys):
    root = both
    shutil.rmtree(root / "s3")
    shutil.rmtree(root / "data")
    (east, north), half = CENTRE, 33 * 294 / 2 / 111_000
    for minutes, lat in ((20, north - 0.01 + half), (23, north - 0.01 - half)):
        when, centre = FIRST + timedelta(minutes=minutes), (east, lat)
        overpass(root / "s3", when, cloud=0.0, centre_lonlat=centre)
    arguments = ["--environment", str(root / "environment.json"), "--tile", "T17XNA"]
    assert inventory.main([*arguments, "--timediff", "3"]) == 0
    select(root, 0)
    assert step40(root, "--quantity", "1", "--overlap", "0.1") == 0
    assert "another frame of the same pass, covers 0." in capsys.readouterr().out
