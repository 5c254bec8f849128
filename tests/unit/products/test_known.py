"""Products are read once, and again as soon as anything that was read of them stands otherwise."""

from __future__ import annotations

import logging
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sensor2sensor.core import files, watched, xml
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.inventory.options import arguments_parser, parse_options
from sensor2sensor.preprocess.inventory.scan import How, Scan, scan_sentinel2, scan_sentinel3
from sensor2sensor.products import discovery, known
from sensor2sensor.products.discovery import find, find_s2
from sensor2sensor.products.examination import Search
from sensor2sensor.products.facts import facts_of, product_of
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes import s2xml, s3xml
from tests.fakes.metadata_only import s2_metadata, s3_metadata

TILE, OTHER = "T33UVR", "T33UWR"
CORNERS = {TILE: (399960.0, 5600040.0), OTHER: (499980.0, 5600040.0)}
START = datetime(2022, 7, 14, 10, 0, tzinfo=UTC)
OPTIONS = parse_options(arguments_parser("").parse_args(["--tile", TILE, "--timediff", "5"]))
SETTLED_S = watched.SETTLED_S + 0.1
BETWEEN = (START - timedelta(days=1), START + timedelta(days=1))


def scene(root: Path, day: int = 0, tile: str = TILE, baseline: str = "04.00", **form) -> Path:
    sensing = START + timedelta(days=day)
    identity = s2xml.Identity("L1C", "S2A", baseline, tile, sensing)
    return s2_metadata(root, identity, CORNERS[tile], **form)


def frame(root: Path, hour: int = 0, *, away: bool = False, **form) -> Path:
    start = START + timedelta(hours=hour)
    identity = s3xml.Identity("S3A", "OL_1_EFR", start, 65, 65, 72, "002", "NT")
    return s3_metadata(root, identity, (-120.0, 5.0) if away else (14.5, 50.0), **form)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written a moment ago counts as settled."""
    monkeypatch.setattr(watched, "SETTLED_S", -1e6)


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Scan]:
    """Look through the Sentinel-2 archive as step 20 does."""

    def looked(root: Path, **how) -> Scan:
        return scan_sentinel2(root, OPTIONS, How(memory=tmp_path / "_inventory", **how))

    return looked


def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The XML files that are parsed from now on."""
    names: list[str] = []
    parse = xml.parse

    def noting(data, where, *more):
        names.append(str(where).rpartition("/")[2])
        return parse(data, where, *more)

    monkeypatch.setattr(xml, "parse", noting)
    return names


def contents(found: Scan) -> object:
    facts = [(one, one.facts, one.footprint, one.epsg) for one in found.sightings]
    return replace(found, sightings=[]), facts


def test_a_second_run_parses_nothing_and_says_the_same(tmp_path, look, monkeypatch, caplog):
    root = tmp_path / "s2"
    scene(root), scene(root, 1, zip=True), scene(root, 2, tile=OTHER), scene(root, 3, OTHER)
    (scene(root, 4) / "MTD_MSIL1C.xml").write_text("<damaged")
    scene(root, 5, baseline="07.77")
    alone = scan_sentinel2(root, OPTIONS, How())
    assert "unknown processing baseline" in caplog.text
    cold = look(root)
    names = parsed(monkeypatch)
    caplog.clear()
    warm = look(root)
    assert names == ["MTD_MSIL1C.xml"], "a failure is looked at again"
    assert contents(warm) == contents(cold) == contents(alone)
    assert "unknown processing baseline" in caplog.text
    assert len(warm.sightings) == 3 and len(warm.failures) == 1


def test_workers_a_second_run_and_one_process_agree_on_frames(tmp_path, monkeypatch):
    root, memory = tmp_path / "s3", tmp_path / "_inventory"
    frame(root), frame(root, 1, zip=True), frame(root, 2, away=True, ties=False)
    frame(root, 90, ties=False)  # of no interest, and so not opened
    (frame(root, 3) / "Oa07_radiance.nc").unlink()
    (frame(root, 4) / "tie_geo_coordinates.nc").write_bytes(b"no image, but a file of its size\n")
    grid = scan_sentinel2_grid(tmp_path)
    monkeypatch.setattr(discovery, "_WORTH_A_WORKER", 1)

    def looked(**how):
        return contents(scan_sentinel3(root, BETWEEN, "EFR", How(**how), grid=grid))

    time.sleep(SETTLED_S)  # worker processes have their own idea of what has settled
    expected = looked()
    found, facts = expected
    assert len(facts) == 3 and [path[-5:] for path, _ in found.failures] == [".SEN3"] * 2
    assert any(one.over_tile != one.start for one, *_ in facts)
    assert looked(memory=memory, workers=2) == expected
    names = parsed(monkeypatch)
    assert looked(memory=memory) == expected
    assert len(names) <= 4, "but for what cannot be used"


def scan_sentinel2_grid(tmp_path: Path):
    scene(tmp_path / "for the grid")
    return scan_sentinel2(tmp_path / "for the grid", OPTIONS, How()).grid


def band(product: Path) -> Path:
    return next(product.glob("GRANULE/*/IMG_DATA/*_B03.jp2"))


def same_size_and_time(path: Path) -> None:
    text, before = path.read_bytes(), path.stat()
    path.write_bytes(text.replace(b"T10:00:00.000Z", b"T10:00:07.000Z"))
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def second_granule(product: Path) -> None:
    granule = next(product.glob("GRANULE/*"))
    shutil.copytree(granule, granule.with_name("L1C_T33UVR_A000001_20220714T100004"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda product: band(product).unlink(), "missing GRANULE/"),
        (lambda product: band(product).write_bytes(b"short"), "has 5 bytes instead of"),
        (lambda product: (product / "manifest.safe").write_text("<"), "not well-formed XML"),
        (lambda product: (product / "MTD_MSIL1C.xml").write_text(""), "is an empty file"),
        (second_granule, "2 files MTD_TL.xml"),
        (lambda product: Path(f"{product}.aria2").touch(), "unfinished download"),
    ],
    ids=["band gone", "band cut", "manifest", "metadata", "second granule", "begun anew"],
)
def test_whatever_happens_to_a_known_product_is_noticed(tmp_path, look, change, said):
    root = tmp_path / "s2"
    product = scene(root)
    assert len(look(root).sightings) == 1
    change(product)
    found = look(root)
    assert found.sightings == [] and said in found.failures[0][1]


def test_a_product_replaced_by_one_of_its_size_and_time_is_read_again(tmp_path, look):
    root = tmp_path / "s2"
    product = scene(root)
    before = look(root).sightings[0].start
    same_size_and_time(product / "MTD_MSIL1C.xml")
    assert look(root).sightings[0].start == before + timedelta(seconds=7)


def test_a_zip_replaced_by_another_is_read_again(tmp_path, look):
    root = tmp_path / "s2"
    packed = scene(root, zip=True)
    look(root)
    with zipfile.ZipFile(packed) as archive:
        names = [name for name in archive.namelist() if not name.endswith("_B03.jp2")]
        members = {name: archive.read(name) for name in names}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert "missing GRANULE/" in look(root).failures[0][1]


def test_a_name_that_lies_hides_nothing(tmp_path, look):
    root = tmp_path / "s2"
    for number, product in enumerate((scene(root), scene(root, 1, zip=True))):
        lie = product.name.replace(TILE, OTHER).replace("2022", f"202{number}", 1)
        product.rename(root / lie)
    truth = scene(root, 2, tile=OTHER)
    truth.rename(root / truth.name.replace(OTHER, TILE))
    for _ in range(2):
        found = look(root)
        assert len(found.sightings) == 2 and found.failures == []


def test_of_another_tile_by_name_and_content_a_glance_is_enough(tmp_path, look, monkeypatch):
    root = tmp_path / "s2"
    scene(root)
    scene(root, 1, tile=OTHER), scene(root, 2, tile=OTHER, zip=True)
    names = parsed(monkeypatch)
    look(root)
    assert sorted(names) == ["MTD_MSIL1C.xml", "MTD_TL.xml", "manifest.safe"]
    assert len(find(Search(root, "S2"), memory=tmp_path / "_inventory")[0]) == 3
    names.clear()
    look(root), find(Search(root, "S2", OTHER), memory=tmp_path / "_inventory")
    assert names == [], "what one run read the others know"


def cache_of(tmp_path: Path) -> Path:
    return next((tmp_path / "_inventory" / "_known").glob("*.jsonl"))


@pytest.mark.parametrize("damage", ["cut", "flipped", "no JSON", "empty"])
def test_a_damaged_file_is_one_warning_and_made_anew(tmp_path, look, caplog, damage):
    root = tmp_path / "s2"
    scene(root), scene(root, 1)
    expected = contents(look(root))
    known = cache_of(tmp_path)
    whole = known.read_bytes()
    flipped = whole.replace(b'"tile":"T33UVR"', b'"tile":"T33UVS"', 1)
    made = {"cut": whole[:-9], "flipped": flipped, "no JSON": b"{" + whole, "empty": b""}
    known.write_bytes(made[damage])
    assert contents(look(root)) == expected
    assert [one for one in caplog.messages if "damaged, made anew" in one] == [
        f"{known}: damaged, made anew"
    ]
    assert known.read_bytes() == whole
    caplog.clear()
    assert contents(look(root)) == expected and not caplog.messages


def test_what_other_code_read_is_read_again(tmp_path, look, monkeypatch, caplog):
    root = tmp_path / "s2"
    scene(root)
    look(root)
    monkeypatch.setattr("sensor2sensor.products.known._readers", lambda: "another")
    names = parsed(monkeypatch)
    look(root)
    assert names and not caplog.messages


def test_a_line_of_a_reader_makes_it_other_code(tmp_path, monkeypatch):
    digest = known._readers.__wrapped__
    shipped = digest()
    monkeypatch.setattr(known, "_PACKAGE", tmp_path)
    (tmp_path / "products").mkdir()
    (tmp_path / "products" / "reader.py").write_text("OFFSET = -1000\n")
    before = digest()
    (tmp_path / "products" / "reader.py").write_text("OFFSET = 1000\n")
    assert len({shipped, before, digest()}) == 3


def test_two_runs_at_once_and_a_folder_that_takes_nothing_cost_no_result(
    tmp_path, look, monkeypatch, caplog
):
    root = tmp_path / "s2"
    scene(root)
    monkeypatch.setattr("sensor2sensor.products.known._WAIT_S", 0.0)
    (tmp_path / "_inventory").write_text("a file where a folder should be")
    assert len(look(root).sightings) == 1
    assert "the next run looks again" in caplog.text
    (tmp_path / "_inventory").unlink()
    look(root)
    before = cache_of(tmp_path).read_bytes()
    scene(root, 1)
    with files.lock(cache_of(tmp_path).with_suffix(".lock")):
        assert len(look(root).sightings) == 2
    assert cache_of(tmp_path).read_bytes() == before
    look(root)
    assert cache_of(tmp_path).read_bytes() != before


def test_a_run_that_writes_nothing_and_what_changed_just_now_leave_no_trace(
    tmp_path, look, monkeypatch
):
    root = tmp_path / "s2"
    scene(root)
    look(root, keep=False)
    assert not (tmp_path / "_inventory").exists()
    monkeypatch.setattr(watched, "SETTLED_S", 3600.0)
    look(root)
    assert not list(tmp_path.glob("_inventory/_known/*.jsonl"))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_product_of_its_facts_is_the_product(tmp_path, zipped):
    s2 = open_s2(scene(tmp_path, zip=zipped, baseline="05.09"))
    s3 = open_s3(frame(tmp_path, zip=zipped))
    for sensor, product in (("S2", s2), ("S3", s3)):
        again = product_of(sensor, facts_of(product), product.path)
        assert again == product and repr(again) == repr(product)
        assert again.footprint.equals_exact(product.footprint, 0.0)
        assert again.listed == product.listed
        assert again.files.names() == product.files.names()
    assert len(find_s2(tmp_path)[0]) == 1


def test_nothing_is_logged_twice(tmp_path, look, caplog):
    root = tmp_path / "s2"
    scene(root, baseline="07.77")
    with caplog.at_level(logging.WARNING):
        look(root)
    assert len([one for one in caplog.messages if "07.77" in one]) == 1


def test_tiles_without_end_leave_no_memory_without_end(tmp_path):
    """Each is another look at every frame."""
    frame(tmp_path / "s3")
    sizes = []
    for number in range(24):
        grid = Grid(32633, 399_960.0 + 9_999.0 * number, 5_600_040.0, 10.0, 10_980, 10_980)
        scan_sentinel3(tmp_path / "s3", BETWEEN, "EFR", How(memory=tmp_path / "_inv"), grid=grid)
        sizes.append(next((tmp_path / "_inv" / "_known").glob("*.jsonl")).stat().st_size)
    assert sizes[11] > sizes[0] and max(sizes[12:]) - sizes[11] < 32  # of digits
