"""The overlays of step 40: where they lie, when they are drawn anew, what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.dataset.display import clear_range, rgba
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.quicklooks import run as s2pngs
from sensor2sensor.preprocess.tiles import run as tifs
from sensor2sensor.preprocess.tiles.overlay import drawn_of, is_current, overlay_png
from sensor2sensor.preprocess.tiles.table import TileRow
from tests.unit.preprocess.tifs_archive import INVENTORY, archive, select, step40

GRID = Grid(32617, 500000.0, 8000000.0, 10.0, 256, 256)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return archive(tmp_path / "a")


def pictures(root: Path) -> dict[str, bytes]:
    folder = root / "data" / "_inventory"
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def test_a_selection_named_like_its_inventory_costs_step_30_no_picture(root: Path) -> None:
    environment = ["--environment", str(root / "environment.json")]
    assert s2pngs.main(["--inventory", INVENTORY, *environment]) == 0
    before = pictures(root)
    inventory = root / "data" / "_inventory" / f"{INVENTORY}.json"
    kept = inventory.read_bytes()
    select(root, 0, name="chosen")
    chosen = root / "elsewhere" / f"{INVENTORY}.json"
    chosen.parent.mkdir()
    (root / "data" / "_inventory" / "chosen.json").rename(chosen)
    words = ["--selection", str(chosen), "--quantity", "1", "--tilesize", "64", "--overlap", "0"]
    assert tifs.main([*words, *environment]) == 0
    after = pictures(root)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"_overlays/{INVENTORY}/{INVENTORY}/64/0_64px.png"}
    assert inventory.read_bytes() == kept
    assert s2pngs.main(["--inventory", INVENTORY, *environment]) == 0
    assert pictures(root) == after


def test_each_tile_size_has_its_own_overlay(root: Path) -> None:
    select(root, 0)
    for size in ("64", "96"):
        assert step40(root, "--quantity", "1", "--tilesize", size) == 0
    wanted = {
        f"_overlays/{INVENTORY}/sel/64/0_64px.png",
        f"_overlays/{INVENTORY}/sel/96/0_96px.png",
    }
    assert set(pictures(root)) == wanted


def test_an_overlay_of_other_tiles_is_drawn_anew_and_of_a_scene_left_out_removed(
    root: Path,
) -> None:
    first, other = select(root, 0, name="a"), select(root, 0, name="b")
    assert step40(root, "--quantity", "1", selection=first) == 0
    old = pictures(root)
    assert step40(root, "--quantity", "2", "--force", selection=other) == 0
    assert step40(root, "--quantity", "2", selection=first) == 0
    new = pictures(root)
    assert (
        new[f"_overlays/{INVENTORY}/a/64/0_64px.png"]
        == new[f"_overlays/{INVENTORY}/b/64/0_64px.png"]
    )
    assert (
        new[f"_overlays/{INVENTORY}/a/64/0_64px.png"]
        != old[f"_overlays/{INVENTORY}/a/64/0_64px.png"]
    )
    left_out = root / "data" / "_inventory" / "_overlays" / INVENTORY / "a" / "64" / "7_64px.png"
    left_out.write_bytes(b"of a scene that was in the selection once")
    assert step40(root, "--quantity", "2", selection=first) == 0
    assert pictures(root) == new


def _rows(*corners: tuple[int, int]) -> list[TileRow]:
    names = {"s2": "", "s2date": "", "s3": None, "time_gap_h": None, "shift_m": None, "sha256": ""}
    return [
        TileRow(
            tile=f"00000_{x}x{y}",
            scene=0,
            x=x,
            y=y,
            size_px=64,
            epsg=GRID.epsg,
            ulx_m=GRID.ulx_m + 10 * x,
            uly_m=GRID.uly_m - 10 * y,
            resolution_m=10,
            **names,
        )
        for x, y in corners
    ]


def _drawn(image: np.ndarray, rows: list[TileRow]) -> np.ndarray:
    from rasterio.io import MemoryFile

    shared = {"reduction": 1, "outlines": {}, "masks": [], "title": ""}
    shown = rgba(image, clear_range(image))
    data = overlay_png(shown, GRID, rows, mark=drawn_of("s", rows), **shared)
    assert data == overlay_png(shown, GRID, rows, mark=drawn_of("s", rows), **shared)
    with MemoryFile(data) as memory, memory.open() as source:
        return np.moveaxis(source.read([1, 2, 3]), 0, -1)


def test_a_scene_is_shown_in_the_stretch_of_step_30_and_nodata_in_that_of_the_ground() -> None:
    image = np.full((256, 256, 3), (0.05, 0.60, 0.20), np.float32)
    image[:, 128:] = (0.6, 0.1, 0.4)
    image[200:] = np.nan
    wanted = rgba(image, clear_range(image))[:3].reshape(3, -1).T
    shown = _drawn(image, [])
    colours = {tuple(colour) for colour in np.unique(wanted, axis=0)} - {(0, 0, 0)}
    assert len(colours) == 2
    for colour in colours:
        assert (shown == colour).all(axis=-1).sum() > 50_000
    assert (shown == (0x20, 0x20, 0x28)).all(axis=-1).sum() > 50_000


def test_every_tile_has_its_number(tmp_path: Path) -> None:
    image = np.full((256, 256, 1), 0.1, np.float32)
    one, two = _drawn(image, _rows((32, 32))), _drawn(image, _rows((160, 160), (32, 32)))
    yellow = np.array([0xFF, 0xD4, 0x00])
    assert (np.abs(one - yellow.astype(int)).max(axis=-1) < 60).sum() > 500  # edges and a number
    assert one.shape == two.shape and (one != two).any()
    # The tile at (32, 32) is number 1 in one picture and number 2 in the other.
    part = np.s_[200:420, 180:420]
    assert (one[part] != two[part]).any()


def test_a_picture_is_current_only_for_its_own_tiles(tmp_path: Path) -> None:
    image, path = np.full((4, 256, 256), 255, np.uint8), tmp_path / "0_64px.png"
    mark = drawn_of("s", _rows((0, 0)))
    assert not is_current(path, mark)
    shared = {"reduction": 1, "outlines": {}, "masks": [], "title": "x" * 200}
    path.write_bytes(overlay_png(image, GRID, _rows((0, 0)), mark=mark, **shared))
    assert is_current(path, mark)
    assert not is_current(path, drawn_of("s", _rows((0, 64))))
    assert not is_current(path, drawn_of("t", _rows((0, 0))))


def test_a_scene_without_a_valid_pixel_still_has_an_overlay() -> None:
    assert _drawn(np.full((256, 256, 3), np.nan, np.float32), []).size
