"""Downloads of SEN2VENµS that are not whole or not what they should be: each is one clear line."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning

from sensor2sensor.dataset.splits import TilePlace
from sensor2sensor.sources.sen2venus.ground import overlaps
from sensor2sensor.sources.sen2venus.images import header_of
from sensor2sensor.sources.sen2venus.layout import patches_of, sites_in
from tests.fakes import sen2venus as fakes
from tests.fakes.sen2venus import ground, write_sites
from tests.unit.sources.test_sen2venus import SIDE, SITES, door, name_of, rows_of

COLUMNS = ("b2b3b4b8_10m", "b2b3b4b8_05m")
pytestmark = pytest.mark.filterwarnings("ignore", category=NotGeoreferencedWarning)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sites(tmp_path_factory.mktemp("sound") / "V", SITES, columns=COLUMNS)


@pytest.fixture
def own(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "V"))


def replaced(path: Path, change: Callable[[bytes], bytes | None], number: int = 0) -> None:
    """A zip whose member of that number is another one, or gone."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for place, (name, data) in enumerate(members.items()):
            made = change(data) if place == number else data
            if made is not None:
                archive.writestr(name, made)


def _tif(values: np.ndarray[Any, Any], east_m: float = 0.0, times: int = 1) -> bytes:
    east, north = fakes.corner_of(1, 1, SIDE)
    return fakes.geotiff(values, (east + east_m, north), times)


MADE = ground("FR-LAM", 1, SIDE)["b2b3b4b8_05m"]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (_tif(MADE[:3]), "has 3 bands, not 4"),
        (_tif(MADE.astype(np.float32)), "is of float32; patches of SEN2VENµS are of int16"),
        (_tif(MADE.astype(np.uint16)), "is of uint16; patches of SEN2VENµS are of int16"),
        (_tif(MADE[:, :16, :16]), "has 16 x 16 pixels, not 32 x 32 as most"),
        (_tif(MADE, east_m=40.0), "lies 40 m from its patch"),
        (_tif(MADE, times=2), "has pixels of 10 m, not 5"),
        (_tif(MADE)[:700], "cannot be read, or is cut short"),
        (b"<VRTDataset/>", "cannot be read, or is cut short"),
    ],
)
def test_a_file_that_does_not_fit_costs_its_sample(
    own: Path, tmp_path: Path, capsys, made: bytes, says: str
) -> None:
    replaced(own / "FR-LAM" / "FR-LAM_b2b3b4b8_05m.zip", lambda _: made, number=1)
    assert door(own, tmp_path) == 1
    row = rows_of(tmp_path / "sen2venus_x2" / str(SIDE))[name_of("FR-LAM", 1)]
    assert row.split == "refused" and says in row.reason
    assert row.reason.startswith("FR-LAM_b2b3b4b8_05m.zip/") or "lies 40 m" in row.reason
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "failed:" in line]
    assert says in line and str(tmp_path) not in line


def test_a_row_without_its_file_is_left_out(own: Path, tmp_path: Path, capsys) -> None:
    replaced(own / "FR-LAM" / "FR-LAM_b2b3b4b8_10m.zip", lambda _: None, number=1)
    (own / "BENGA.zip").write_bytes(b"")
    (own / "ARM.zip").write_bytes(b"")  # beside what was unpacked of it
    assert door(own, tmp_path) == 0
    row = rows_of(tmp_path / "sen2venus_x2" / str(SIDE))[name_of("FR-LAM", 1)]
    assert row.split == "dropped"
    assert row.reason.startswith("FR-LAM_b2b3b4b8_10m.zip: lacks FR-LAM_31TCJ_2018-03-04_0001")
    out = capsys.readouterr().out
    assert "1 patches of FR-LAM left out: FR-LAM_b2b3b4b8_10m.zip: lacks" in out
    # It was asked where it lies, and could not: that is no patch without a place.
    assert "say not where they lie" not in out
    assert out.count("is not unpacked") == 1 and "warning: BENGA.zip is not unpacked" in out


def test_zips_that_were_unpacked_are_read_all_the_same(own: Path) -> None:
    """Into a folder called as the zip, as most programs do, or right into the site's."""
    for path in own.glob("*/*.zip"):
        inside = path.with_suffix("") if path.parent.name == "ARM" else path.parent
        with zipfile.ZipFile(path) as archive:
            archive.extractall(inside)
        path.unlink()
    for site in sites_in(own):
        found = patches_of(site, COLUMNS)
        assert found and not any(patch.missing for patch in found)
        headers = [header_of(patch, column) for patch in found for column in COLUMNS]
        sides = [SIDE // 2, SIDE] * len(found)
        assert [header.shape[0] for header in headers if header] == sides
    # Of two zips with a file of one name the one that was unpacked last is there, for both.
    index = own / "SO1" / "index.csv"
    head, first, *others = index.read_text().splitlines()
    index.write_text("\n".join([head, first, *others, first.replace("SO1_b", "SO1_2_b")]) + "\n")
    missing = [patch.missing for patch in patches_of(own / "SO1", COLUMNS)]
    assert [bool(why) for why in missing] == [True, *(False for _ in others), True]
    assert "is in several zips: unpack each into a folder of its name" in missing[0]


@pytest.mark.parametrize("gone", [False, True])
def test_a_zip_that_is_cut_short_or_missing_costs_its_site(
    own: Path, tmp_path: Path, capsys, gone: bool
) -> None:
    path = own / "SO1" / "SO1_b2b3b4b8_05m.zip"
    path.write_bytes(path.read_bytes()[:5000])
    if gone:
        path.unlink()
    assert door(own, tmp_path) == 0
    row = rows_of(tmp_path / "sen2venus_x2" / str(SIDE))[name_of("SO1", 0)]
    assert row.split == "dropped"
    assert ("is missing" if gone else "is no whole zip") in row.reason
    assert "sites for train: " in capsys.readouterr().out


def _index(change: Callable[[str], str]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "ARM" / "index.csv"
        path.write_text(change(path.read_text()))

    return damage


def _no_site(folder: Path) -> None:
    for path in folder.glob("*/index.csv"):
        path.unlink()


def _only_stacks(folder: Path) -> None:
    _no_site(folder)
    (folder / "ARM" / "x.pt").write_bytes(b"")


def _not_unpacked(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        shutil.rmtree(path)
        path.with_suffix(".7z").write_bytes(b"")


def _all_cut(folder: Path) -> None:
    for path in folder.glob("*/*.zip"):
        path.write_bytes(b"PK")


@pytest.mark.parametrize(
    ("damage", "words", "says"),
    [
        (_no_site, (), "holds no site with an index.csv"),
        (_only_stacks, (), "convert them with s2s convert-sen2venus"),
        (_not_unpacked, (), "unpack ARM.7z, FR-LAM.7z, SO1.7z there first"),
        (_all_cut, (), "has no square patch that can be read; the first: ARM_b2b3b4b8_05m.zip: is"),
        (_index(lambda t: t.replace("b2b3b4b8_05m", "b2b3b4b8_5m", 1)), (), "nearest: 'b2b3b4b8_5"),
        (_index(lambda t: t.partition("\n")[0]), (), "lists no patch"),
        (_index(lambda t: t.replace("date", "site", 1)), (), "its folder is called ARM"),
        (None, ("--test-sites", "FR-LAMM"), "no site 'FR-LAMM' with patches; nearest: 'FR-LAM'"),
        (None, ("--test-sites", "X-1", "ARM", "X-2"), "no site 'X-1', 'X-2' with patches"),
        (None, ("--test-sites", *SITES), "no site is left that can be drawn for validation"),
        (None, ("--val-sites", "ARM", "SO1", "SO2"), "no site is left to train on"),
        (None, ("--val-sites", "FR-LAM"), "FR-LAM cannot be for testing and validation"),
        (None, ("--val-sites", "ARM", "--val-share", 0.2), "--val-share would do nothing"),
        (None, ("--resolution", "x4"), "--bands 10m is of --resolution x2"),
        (None, ("--min-valid", 0), "--min-valid 0 is not in (0, 1]"),
        (None, ("--bands", "all"), "has no column 'b5b6b7b8a_05m'"),
        (None, ("--exclude", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
)
def test_what_stops_a_run_is_one_line(
    own: Path, tmp_path: Path, capsys, damage: Any, words: tuple[Any, ...], says: str
) -> None:
    if damage is not None:
        damage(own)
    assert door(own, tmp_path, *words) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "looking at" not in x]
    assert says in line
    assert not list(tmp_path.glob("sen2venus*/*/dataset.json"))


def test_sites_on_the_same_ground_stay_together(tmp_path: Path, capsys, monkeypatch) -> None:
    """``SO1`` and ``SO2`` lie half on each other: one for testing while one trains is refused."""
    corners = {0: (4e5, 48e5), 1: (4.4e5, 48e5), 2: (5e5, 48e5), 3: (5e5 + 80, 48e5 - 80)}
    monkeypatch.setattr(fakes, "corner_of", lambda site, number, side: corners[site])
    data = write_sites(tmp_path / "V", dict.fromkeys(SITES, 1), columns=COLUMNS)
    assert door(data, tmp_path, "--test-sites", "SO1", "--val-sites", "ARM") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "sites of two splits share ground: SO1 (test) and SO2 (train)" in line
    # Drawn validation takes both or none of them.
    for seed in range(4):
        words = ("--test-sites", "FR-LAM", "--seed", seed, "--force")
        assert door(data, tmp_path, *words) == 0
        found = rows_of(tmp_path / "sen2venus_x2" / str(SIDE)).values()
        splits = {row.block: row.split for row in found}
        assert splits["SO1"] == splits["SO2"] != splits["ARM"]
    assert "sites that share ground, kept in one split: SO1 and SO2" in capsys.readouterr().out


def test_patches_that_touch_do_not_overlap(tmp_path: Path, monkeypatch) -> None:
    edge = 5.0 * SIDE
    monkeypatch.setattr(fakes, "corner_of", lambda site, *_: (4e5 + edge * site, 48e5))
    data = write_sites(tmp_path / "V", dict.fromkeys(SITES, 1), columns=COLUMNS)
    assert door(data, tmp_path, "--test-sites", "SO1", "--val-sites", "ARM") == 0


def test_without_coordinates_sites_stand_for_the_ground(tmp_path: Path, capsys) -> None:
    data = write_sites(tmp_path / "V", SITES, columns=COLUMNS, placed=False)
    assert door(data, tmp_path) == 0
    out = capsys.readouterr().out
    assert "6 patches say not where they lie: their sites stand for the ground" in out
    assert "ground known by groups" in out


def test_ground_is_compared_across_zones() -> None:
    """At 6 degrees east, where UTM zones 31 and 32 meet; positions by pyproj."""
    x, y = Transformer.from_crs(32631, 32632, always_xy=True).transform(740_000.0, 4_800_000.0)
    places = {
        "A": [TilePlace("a", 32631, 740_000.0, 4_800_000.0, 160.0, "")],
        "B": [TilePlace("b", 32632, x + 100.0, y, 160.0, "")],
        "C": [TilePlace("c", 32632, x + 400.0, y, 160.0, "")],
        "D": [],
    }
    assert overlaps(places) == [("A", "B")]
