"""Quality pages: what they say of tiles and data sets whose faults the test made."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.ledger import DROPPED, read_split
from sensor2sensor.preprocess.inventory.rows import InventoryRow, written
from sensor2sensor.preprocess.quality import command, dataset, tile_page, tiles
from sensor2sensor.preprocess.quality.dataset_page import _boxes
from sensor2sensor.preprocess.quality.dataset_page import page_of as dataset_page_of
from sensor2sensor.preprocess.quality.measured import Measured
from sensor2sensor.preprocess.quality.tile_page import page_of
from sensor2sensor.preprocess.records.run import main as step50
from sensor2sensor.preprocess.tiles.table import read_table
from tests.browser import FLAGS, browser
from tests.fakes_tiles import FakeTile, grid_tiles, own_environment, write_tiles

TILE, STEP, INV = 16, 20 * 16, "inv_T17XNA_10h"
ODD = FakeTile(2 * STEP, 3 * STEP, scene=1)
VOID = {"meta", "br", "img", "wbr", "input", "link"}


def _bright(layers: dict[str, np.ndarray]) -> None:
    layers["target"] *= 6
    layers["margin"] *= 6


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of two scenes, one of them six times as bright, and data sets of them."""
    root = tmp_path_factory.mktemp("quality")
    made = [t for t in grid_tiles(6, 6, STEP) if (t.x, t.y) != (ODD.x, ODD.y)]
    made = [replace(t, shift_m=8.0 * number, shift_quality=0.5) for number, t in enumerate(made)]
    folder = write_tiles(root, [*made, replace(ODD, damage=_bright)])
    _complete(folder)
    named = ["--inventory", INV, "--dataset", "toy", *own_environment(root), "--block-tiles", "24"]
    split = ["--train_ratio", "0.6", "--val_ratio", "0.4", "--factors", "4"]
    assert step50([*named, "--tilesize", str(TILE), *split]) == 0
    return root


def _complete(folder: Path) -> None:
    """What else a manifest of step 40 says."""
    manifest = files.read_json(folder / "manifest.json")
    options = {**manifest["options"], "quantity": 40, "masks": [], "version": 2}
    edges = [[499000.0, 8000000.0], [530000.0, 8000000.0]]
    scene = {"s2": "S2A_<x>", "baseline": "05.00", "rejected": {"cloud": 90, "nodata": 6}}
    more = {
        "inventory": INV,
        "selections": ["sel"],
        "selected": [0, 1, 7],
        "options": options,
        "scenes": {"0": {**scene, "outlines_m": {"Sentinel-2": [edges], "Sentinel-3": []}}},
        "formulas": {"shift": "phase correlation"},
    }
    files.write_json(folder / "manifest.json", {**manifest, **more})


class _Balanced(HTMLParser):
    """Fails on an element that is not closed where it was opened; keeps ids and anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        told = dict(attrs)
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"]] if tag == "a" else []
        self.loads += [told[key] for key in ("src",) if told.get(key)]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        """Closed by itself, as paths of drawings are."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def sound(page: str) -> None:
    """One file that loads nothing from outside, each anchor once, each drawing with words."""
    seen = _Balanced()
    seen.feed(page)
    assert not seen.open and len(set(seen.ids)) == len(seen.ids)
    assert {link[1:] for link in seen.links} <= set(seen.ids)
    assert all(load.startswith("data:") for load in seen.loads)
    assert page.count('role="img" aria-label="') == len(re.findall('class="panel( map)?"', page))
    assert "default-src 'none'" in page


def folder_of(root: Path) -> Path:
    return root / "_tif" / INV / str(TILE)


def test_overlaps_are_those_of_the_pairs_that_tiles_are_of(root: Path, tmp_path: Path) -> None:
    """What is left of a joined pair begins with the same two products and is another one."""
    found = tiles.look(folder_of(root))
    tile = replace(found.rows[0], s2="a.SAFE", s3="2.SEN3", s2_joined=None, s3_joined="1.SEN3")
    when = datetime(2022, 7, 14, 17, tzinfo=UTC)
    pair = InventoryRow(0, 2022, 7, "a.SAFE", when, "2.SEN3", when, 0.0, ".SEN3", overlap=1.0)
    rows = [
        replace(pair, s3_joined=("1.SEN3",)),
        replace(pair, index=1, overlap=0.4),
        replace(pair, index=2, overlap=0.7, s2_joined=("b.SAFE",), s3_joined=("1.SEN3",)),
    ]
    (tmp_path / "_inventory").mkdir()
    files.write_csv(tmp_path / "_inventory" / f"{INV}.csv", *written(rows))
    here = replace(found, path=tmp_path / "_tif" / INV / str(TILE))
    assert replace(here, rows=[tile]).overlaps == [1.0]
    assert replace(here, rows=[replace(tile, s3_joined=None)]).overlaps == [0.4]
    assert replace(here, rows=[replace(tile, s2_joined="b.SAFE")]).overlaps == [0.7]


def test_tiles_page_says_what_is_odd_and_what_was_rejected(root: Path) -> None:
    found = tiles.look(folder_of(root))
    assert found.odd[0].tile == f"00001_{ODD.x}x{ODD.y}" and found.odd[0].score > 3.5
    page = page_of(found)
    sound(page)
    assert "1 selected scene gave no tile: 00007." in page
    assert "2 scenes gave fewer than the 40 tiles asked for: 00000, 00001." in page
    assert "27 % of 132 places became tiles; most of the others (94 %) fell to: cloud." in page
    assert "S2A_&lt;x&gt;" in page and "S2A_<x>" not in page
    assert page.count("data:image/webp") == len(found.odd) + 4
    # Of tiles with fewer pixels than others the mean of all pixels is another one.
    assert "Every pixel of every tile" not in page and "Tiles count alike" in page


def test_a_deviation_of_few_tiles_says_of_how_many(root: Path) -> None:
    """Small tiles have four pixels of OLCI, a few at an edge of the swath sixteen."""
    found = tiles.look(folder_of(root))
    band, other = (f"{one['name']}<small>" for one in found.inputs[:2])
    first, count = len(found.targets), len(found.measured.tiles)
    values = found.measured.values.copy()
    values[:, :first, 1] = 0.25
    values[:, first:, 1] = np.nan
    values[:2, first, 1] = 3.0, 4.0
    page = page_of(replace(found, measured=replace(found.measured, values=values)))
    cells = {one: page.split(one)[-1].split("</td>")[1] for one in (band, other)}
    assert cells[band].endswith(f">3.536<small>2 of {count} tiles</small>")
    assert cells[other].endswith(f">–<small>0 of {count} tiles</small>")
    assert "known of tiles with 16 pixels of the band or more" in page
    assert page.count(f" of {count} tiles</small>") == len(found.inputs)
    values[:, first:, 1] = 1.0
    whole = page_of(replace(found, measured=replace(found.measured, values=values)))
    assert "pixels of the band or more" not in whole and f"of {count} tiles<" not in whole


def test_a_repeat_gives_equal_bytes_and_reads_no_tile_again(root: Path, monkeypatch) -> None:
    folder = folder_of(root)
    page = tiles.write_quality(folder)
    first = page.read_bytes()
    stamps = [(folder / name).stat().st_mtime_ns for name in ("quality.html", "quality.csv")]

    def forbidden(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(tiles, "_measure", forbidden)
    assert tiles.write_quality(folder, workers=1).read_bytes() == first
    assert stamps == [page.stat().st_mtime_ns, (folder / "quality.csv").stat().st_mtime_ns]


def test_a_tile_that_cannot_be_read_costs_a_line(root: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "_tif" / INV / str(TILE)
    shutil.copytree(folder_of(root), folder)
    (folder / "quality.csv").unlink(missing_ok=True)
    (folder / f"00000_{STEP}x0.tif").write_bytes(b"II*\0")
    found = tiles.look(folder)
    assert len(found.measured.tiles) == 35 and len(found.unreadable) == 1
    assert f"1 tile could not be read: 00000_{STEP}x0" in page_of(found)


def test_ten_thousand_tiles_make_a_page_that_opens(root: Path) -> None:
    bare = tiles.look(folder_of(root))
    row, count = bare.rows[0], 10_000
    rng = np.random.default_rng(0)
    rows = [
        replace(row, tile=f"{n // 20:05d}_{n}x0", scene=n // 20, ulx_m=x, uly_m=y, shift_m=shift)
        for n, (x, y, shift) in enumerate(rng.uniform(0, 1e5, (count, 3)).tolist())
    ]
    values = rng.normal(1.0, 0.1, (count, len(bare.measured.bands), 4))
    names = tuple(row.tile for row in rows)
    measured = Measured(bare.measured.bands, names, names, values)
    scenes = list(range(count // 20))
    manifest = {**bare.manifest, "selected": scenes, "scenes": {}}
    page = page_of(replace(bare, rows=rows, measured=measured, manifest=manifest))
    sound(page)
    assert len(page) < 1_500_000


def test_dataset_page_shows_splits_blocks_and_what_was_left_out(root: Path) -> None:
    for name in ("cur_toy", "alt4_toy"):
        folder = root / name / str(TILE)
        page = (folder / "quality.html").read_text("utf-8")
        sound(page)
        counts = {split: sum(r.split == split for r in read_split(folder)) for split in SPLITS}
        for split, count in counts.items():
            assert f"<b>{count}</b>{split} tiles" in page
            assert f"blocks of {split}" in page
        assert "unlike the others in a band (1 " in page
        assert "python preprocessing/50_create_tfrecords.py --inventory" in page


def test_reasons_of_a_data_set_are_escaped_and_counted_without_their_numbers(root: Path) -> None:
    found = dataset.look(root / "cur_toy" / str(TILE), 1, {})
    lost = [
        replace(row, name=f"lost{n}", split=DROPPED, reason=f"<script>shift of {n}.5 m")
        for n, row in enumerate(found.placed[:3])
    ]
    page = dataset_page_of(replace(found, rows=[*found.rows, *lost]))
    sound(page)
    assert "&lt;script&gt;shift of … m" in page and "<script>shift" not in page


def test_siblings_share_what_is_measured_of_their_target(root: Path, monkeypatch) -> None:
    shared: dataset.Shared = {}
    cur = dataset.look(root / "cur_toy" / str(TILE), 1, shared)
    folder = root / "alt4_toy" / str(TILE)
    (folder / "quality.csv").unlink()
    monkeypatch.setattr(dataset, "_measure", lambda *_: 1 / 0)
    alt = dataset.look(folder, 1, shared)
    assert alt.measured.bands == ("B02", "B03", "B04")
    np.testing.assert_array_equal(alt.measured.values, cur.measured.values[:, :3])


def test_a_page_that_cannot_be_made_leaves_the_step_as_it_is(
    root: Path, tmp_path: Path, monkeypatch, caplog
) -> None:
    write_tiles(tmp_path, grid_tiles(6, 6, STEP))
    monkeypatch.setattr(dataset, "page_of", lambda _: 1 / 0)
    named = ["--inventory", INV, "--dataset", "toy", *own_environment(tmp_path), "--factors", "4"]
    split = ["--train_ratio", "0.6", "--val_ratio", "0.4", "--block-tiles", "24"]
    assert step50([*named, "--tilesize", str(TILE), *split]) == 0
    assert "the quality page of cur_toy is left out (ZeroDivisionError" in caplog.text


def test_command_finds_tiles_and_data_sets(root: Path, tmp_path: Path, capsys) -> None:
    assert command.main([str(root / "_tif" / INV), str(root / "cur_toy" / str(TILE))]) == 0
    told = capsys.readouterr().out
    assert told.count("open ") == 2 and "quality: 2 done" in told
    assert command.main([str(tmp_path)]) == 2
    assert "neither tiles nor a data set" in capsys.readouterr().err


def test_shifts_without_a_quality_count_as_unknown(root: Path) -> None:
    rows = read_table(folder_of(root) / "tiles.csv")
    known = tile_page._known_shifts(rows)
    assert len(known) == 35 and max(known) == 8.0 * 34
    assert tile_page._of_shifts(rows) == [
        "The shift between the sensors is not known of 1 tile of 36 (too little structure, or a "
        "quality below 0.25)."
    ]


def test_a_browser_runs_the_page_without_a_word(root: Path, tmp_path: Path) -> None:
    page = root / "cur_toy" / str(TILE) / "quality.html"
    flags = [*FLAGS, f"--user-data-dir={tmp_path}", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run(
        [browser(), *flags, page.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert 'title="sort"' in done.stdout and re.search(r"<html[^>]*class=\"js\"", done.stdout)
    assert "CONSOLE" not in done.stderr


def test_bands_of_several_units_have_an_axis_each() -> None:
    bands = [float_band("B02", "reflectance", 492.4), float_band("VV", "dB", None)]
    drawn = _boxes("Input", bands, np.array([[0.1, -12.0], [0.3, -9.0]]))
    assert [(">reflectance<" in one, ">dB<" in one) for one in drawn] == [
        (True, False),
        (False, True),
    ]
    assert "median 0.200" in drawn[0] and "median -10.50" in drawn[1]
