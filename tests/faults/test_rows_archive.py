"""Rows 1 to 8, 13 to 15 and 20 of the fault table at the door of step 20.

Each bad product lies beside a whole archive. What is asserted of every one: its line names it and
says what is wrong, the exit code is 1, everything else is listed, and nothing was written anywhere
but the two files of the inventory and the cache of facts.
"""

from __future__ import annotations

import csv
import re
import shutil
import stat
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.tiles import run as tifs
from tests.fakes import World, make_s2, make_s3
from tests.fakes.s2 import DEFAULT_SENSING
from tests.fakes.world import transformer
from tests.scripts.step_archive import SCENES, fresh_copy, overpass, tree
from tests.scripts.test_step20 import ALL_PAIRS, pairs

NAME = "inv_T17XNA_2.5h"
BAD = "S2A_MSIL1C_20230110T170000_N0400_R026_T17XNA_20230110T210000"
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.fixture
def archive(tmp_path):
    return fresh_copy(tmp_path / "archive")


def step20(file: str, *options: str) -> int:
    call = ["--environment", file, "--tile", "T17XNA", "--timediff", "2.5", *options]
    return inventory.main(call)


def listed_but(archive, capsys, name: str, *words: str) -> None:
    """Run step 20: all of the archive is listed, one product is not, and nothing else happened."""
    env, file = archive
    root = Path(file).parent
    before = tree(root)
    assert step20(file) == 1
    told = capsys.readouterr()
    assert pairs(env) == ALL_PAIRS
    (line,) = [line for line in told.out.splitlines() if line.startswith("  failed:")]
    assert name in line and all(word in line for word in words), line
    assert "Traceback" not in told.out + told.err
    after = tree(root)
    new = after.keys() - before.keys()
    assert {path for path in new if not Path(path).name.startswith(".")} == {
        f"data/_inventory/{NAME}.csv",
        f"data/_inventory/{NAME}.json",
    }
    assert not any(path.endswith(files.PART_SUFFIX) for path in new)
    assert {path: after[path] for path in before} == before
    assert not list(root.parent.glob("*evil*")), "something was written outside"


def zip_of(env, target: Path) -> zipfile.ZipFile:
    """A zip of a whole product under another name, open to take what it should not hold."""
    product = next(env.s2_root.glob("*.SAFE"))
    packed = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
    for path in sorted(product.rglob("*")):
        if path.is_file():
            packed.write(path, f"{target.stem}.SAFE/{path.relative_to(product)}")
    return packed


def traversal(name: str) -> Callable[[zipfile.ZipFile], str]:
    def add(packed: zipfile.ZipFile) -> str:
        packed.writestr(name, b"evil")
        return "leaves the product"

    return add


def bomb(packed: zipfile.ZipFile) -> str:
    packed.writestr("zeros.bin", bytes(2**22))
    return "inflates"


def link(packed: zipfile.ZipFile) -> str:
    info = zipfile.ZipInfo("pointer")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed.writestr(info, "/etc/passwd")
    return "a link"


@pytest.mark.parametrize(
    "harm",
    [
        *(traversal(name) for name in ("../../evil", "/evil", "a\\..\\..\\evil", "C:\\evil")),
        bomb,
        link,
    ],
    ids=["1 above", "1 absolute", "1 backslashes", "1 drive", "2 bomb", "3 link"],
)
def test_rows_1_to_3_hostile_archives(archive, capsys, harm) -> None:
    env, _ = archive
    with zip_of(env, env.s2_root / f"{BAD}.zip") as packed:
        said = harm(packed)
    listed_but(archive, capsys, f"{BAD}.zip", said)


def cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return "not a readable zip archive"


def page(path: Path) -> str:
    path.write_text("<!DOCTYPE html><html>Please log in</html>")
    return "not a readable zip archive"


def flipped(path: Path) -> str:
    with zipfile.ZipFile(path) as packed:
        (info,) = [one for one in packed.infolist() if one.filename.endswith("MTD_MSIL1C.xml")]
    data = bytearray(path.read_bytes())
    data[info.header_offset + len(info.filename) + 30 + info.compress_size // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    return "MTD_MSIL1C.xml"


@pytest.mark.parametrize("harm", [cut, page, flipped])
def test_row_4_damaged_zips(archive, capsys, harm) -> None:
    env, _ = archive
    target = env.s2_root / f"{BAD}.zip"
    zip_of(env, target).close()
    listed_but(archive, capsys, target.name, harm(target))


@pytest.mark.parametrize(
    ("sensor", "file", "old", "new", "said"),
    [
        ("s2", "MTD_MSIL1C.xml", None, BOMB, "hostile"),
        ("s2", "MTD_MSIL1C.xml", None, OUTSIDE, "hostile"),
        ("s2", "MTD_TL.xml", None, BOMB, "hostile"),
        ("s3", "xfdumanifest.xml", None, BOMB, "hostile"),
        ("s3", "xfdumanifest.xml", None, " " * (33 * 2**20), "bytes"),
        ("s2", "MTD_MSIL1C.xml", r"<PRODUCT_URI>.*?</PRODUCT_URI>", "", "PRODUCT_URI is missing"),
        (
            *("s2", "MTD_MSIL1C.xml", r"(<QUANTIFICATION_VALUE[^>]*>)10000", r"\g<1>10000,0"),
            "QUANTIFICATION_VALUE",
        ),
        ("s2", "MTD_MSIL1C.xml", r"(<Granule_List>.*</Granule_List>)", r"\1\1", "Granule"),
        ("s3", "xfdumanifest.xml", r"<sentinel3:rows>.*?</sentinel3:rows>", "", "rows is missing"),
    ],
    ids=[
        *("6 bomb", "6 external", "6 tile", "6 manifest", "6 huge"),
        *("7 no name", "7 comma", "7 two granules", "7 no rows"),
    ],
)
def test_rows_6_and_7_metadata(archive, capsys, sensor, file, old, new, said) -> None:
    env, _ = archive
    root = env.s2_root if sensor == "s2" else env.s3_root
    source = next(path for path in sorted(root.rglob("S*")) if path.is_dir())
    bad = root / f"{source.stem}_bad{source.suffix}"
    shutil.copytree(source, bad)
    (place,) = bad.rglob(file)
    text = place.read_text(encoding="utf-8")
    changed = new if old is None else re.sub(old, new, text, flags=re.DOTALL)
    assert changed != text
    place.write_text(changed, encoding="utf-8")
    listed_but(archive, capsys, bad.name, file, said)


@pytest.mark.parametrize(
    ("tile", "epsg", "ulx_m", "uly_m"),
    [("T01WCV", 32601, 300_000.0, 7_700_040.0), ("T33XWN", 32633, 500_000.0, 9_300_000.0)],
    ids=["over 180 degrees east", "above 83 degrees north"],
)
def test_row_13_where_degrees_have_no_areas(tmp_path, tile, epsg, ulx_m, uly_m) -> None:
    lonlat = transformer(epsg, 4326).transform(ulx_m + 960.0, uly_m - 960.0)
    world = World(0, lonlat, epsg=epsg)
    make_s2(
        tmp_path / "s2", world=world, tile=tile, epsg=epsg, ulx=ulx_m, uly=uly_m, size_px=192,
        bands=("B02", "B03", "B04"), resolutions=(10,), quality_masks=False,
    )  # fmt: skip
    for minutes, degrees in ((20, 0.0), (40, 150.0)):
        make_s3(
            tmp_path / "s3", world=world, rows=65, columns=65,
            start=DEFAULT_SENSING + timedelta(minutes=minutes),
            centre_lonlat=((lonlat[0] + degrees + 180.0) % 360.0 - 180.0, lonlat[1]),
        )  # fmt: skip
    file = tmp_path / "environment.json"
    file.write_text('{"data_root": "data", "s2_root": "s2", "s3_root": "s3"}')
    call = ["--environment", str(file), "--tile", tile, "--timediff", "3"]
    assert inventory.main(call) == 0
    with (tmp_path / "data/_inventory" / f"inv_{tile}_3h.csv").open(newline="") as stream:
        assert [float(row["overlap"]) for row in csv.DictReader(stream)] == [1.0, 0.0]


def test_row_14_a_footprint_elsewhere_a_sliver_and_one_that_crosses_itself(archive, capsys) -> None:
    env, file = archive
    shutil.rmtree(next(env.s3_root.glob("*.SEN3")))  # the whole partner of the second scene
    south, north, west, east = 72.9, 73.1, -81.1, -80.8
    outlines = {
        "far": [(south - 30.0, west), (north - 30.0, west), (north - 30.0, east)],
        "thin": [(south, west), (north, west), (north, west + 1e-5)],
        "bow": [(south, west), (north, east), (north, west), (south, east)],
    }
    made = {}
    for minutes, (name, corners) in enumerate(outlines.items()):
        made[name] = overpass(env.s3_root, "S3B", SCENES[1] + timedelta(minutes=10 * minutes))
        outline(made[name], corners)
    assert step20(file) == 0
    with (env.inventory_dir / f"{NAME}.csv").open(newline="") as stream:
        overlap = {Path(row["s3"]).name: float(row["overlap"]) for row in csv.DictReader(stream)}
    shares = {name: overlap[path.name] for name, path in made.items()}
    assert shares["far"] == shares["thin"] == 0.0 and 0.2 < shares["bow"] < 0.9
    # A scene whose partners are all poor fails alone, with the best share there is.
    (env.inventory_dir / "sel.json").write_text(f'{{"inventory": "{NAME}", "s2_indices": [0, 2]}}')
    capsys.readouterr()
    words = ["--tilesize", "64", "--quantity", "1", "--margin", "0", "--overlap", "0.95"]
    assert tifs.main(["--environment", file, "--selection", "sel", *words]) == 1
    told = capsys.readouterr()
    (line,) = [line for line in told.out.splitlines() if line.startswith("  failed:")]
    assert (
        f"scene 00002: no Sentinel-3 product overlaps it by 0.95 (best {shares['bow']:.2f})" in line
    )
    assert "1 tiles in" in told.out and "Traceback" not in told.err


def outline(product: Path, corners: list[tuple[float, float]]) -> None:
    """Give a Sentinel-3 product another footprint, corners as (latitude, longitude)."""
    manifest = product / "xfdumanifest.xml"
    words = " ".join(f"{lat:.6f} {lon:.6f}" for lat, lon in [*corners, corners[0]])
    text = manifest.read_text(encoding="utf-8")
    changed = re.sub("(<gml:posList>)[^<]*", rf"\g<1>{words}", text)
    assert changed != text
    manifest.write_text(changed, encoding="utf-8")
