"""The guard of step 50: no input sample and no filtered ground in two splits, and it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.blocks import BlockGrid
from sensor2sensor.dataset.contract import SPLITS, load_contract
from sensor2sensor.dataset.degradation import degrade, reach_px
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.splits import SplitRule, TilePlace
from sensor2sensor.geo.collocation import (
    SwathIndex,
    grid_geocentric_m,
    local_grid,
    search_radius_m,
    spacing_m,
)
from sensor2sensor.geo.grids import Grid
from sensor2sensor.preprocess.records.forms import OLCI_GUARD_M
from tests.fakes import swath
from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import INV, STEP, TILE, step50

TILE_M, RESOLUTION_M = 640.0, 20.0
# Across and along the track: as fakes have it, and at the western edge of a real frame, where up to
# three columns of 270 m repeat one measurement (and carry its position).
INSIDE, EDGE, REDUCED = (270.0, 294.0), (810.0, 295.0), (1080.0, 1176.0)
Samples = dict[str, set[int]]


def _samples_by_split(
    nearest: Callable[[TilePlace], set[int]],
    centre: tuple[float, float],
    zones: tuple[int, ...],
    guard_m: float,
    tiles: int,
) -> Samples:
    """The swath pixels that tiles of each split use, found as step 40 finds them."""
    rule = SplitRule("block", 5, 0.6, 0.4, BlockGrid(4 * max(TILE_M, guard_m)), {}, guard_m)
    rng = np.random.default_rng(0)
    used: Samples = {split: set() for split in SPLITS}
    for epsg in zones:
        x0, y0 = (float(v) for v in local_grid(epsg, *map(np.asarray, centre)))
        for dx, dy in rng.uniform(-5500, 5500, (tiles, 2)):
            place = TilePlace("", epsg, x0 + dx, y0 + dy, TILE_M, "")
            split = rule.split_of(rule.guarded(place))
            if split in used:
                used[split] |= nearest(place)
    return used


def _nearest(index: SwathIndex, place: TilePlace) -> set[int]:
    size = round(TILE_M / RESOLUTION_M)
    points = grid_geocentric_m(Grid(place.epsg, place.ulx_m, place.uly_m, RESOLUTION_M, size, size))
    found, _ = index.nearest(points, search_radius_m(spacing_m(index.near(points))))
    return set(np.unique(found).tolist()) - {-1}


def _shared(used: Samples) -> int:
    return sum(len(used[a] & used[b]) for a, b in combinations(SPLITS, 2))


@pytest.mark.parametrize("heading_deg", [3.0, 192.0, 221.0, 250.0])
@pytest.mark.parametrize(
    ("sample_m", "product", "zones", "centre"),
    [
        (INSIDE, "OL_1_EFR", (32617,), (-80.97, 72.99)),
        (EDGE, "OL_1_EFR", (32617,), (-80.97, 72.99)),
        (EDGE, "OL_1_EFR", (32617, 32618), (-78.0, 60.0)),
        (REDUCED, "OL_1_ERR", (32617, 32618), (-78.0, 60.0)),
    ],
    ids=["inside", "edge", "edge-zones", "reduced-zones"],
)
@pytest.mark.slow
def test_no_input_sample_is_in_two_splits(
    monkeypatch: pytest.MonkeyPatch,
    sample_m: tuple[float, float],
    product: str,
    zones: tuple[int, ...],
    centre: tuple[float, float],
    heading_deg: float,
) -> None:
    monkeypatch.setattr(swath, "HEADING_DEG", heading_deg)
    monkeypatch.setattr(swath, "ACROSS_M", sample_m[0])
    monkeypatch.setattr(swath, "ALONG_M", sample_m[1])
    n = int(22000 / min(sample_m))
    lon, lat = swath.Swath(n, n, centre).geolocation()
    nearest = cache(partial(_nearest, SwathIndex(lat, lon)))  # of the same tiles, asked twice
    guarded = _samples_by_split(nearest, centre, zones, OLCI_GUARD_M[product], 300)
    assert all(guarded.values()), "every split has tiles"
    assert _shared(guarded) == 0
    # Without a guard half of the tiles show it.
    assert _shared(_samples_by_split(nearest, centre, zones, 0.0, 150)) > 0


def test_full_resolution_needs_more_than_its_nominal_pixel_at_the_edge_of_the_swath(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(swath, "ACROSS_M", EDGE[0])
    monkeypatch.setattr(swath, "ALONG_M", EDGE[1])
    x0, y0 = (float(v) for v in local_grid(32617, np.asarray(-80.97), np.asarray(72.99)))
    rng = np.random.default_rng(0)

    def pairs_that_share(guard_m: float) -> int:
        west = [TilePlace("", 32617, x0 + dx, y0 + dy, TILE_M, "") for dx, dy in corners]
        away = TILE_M + 2 * guard_m
        east = [replace(p, ulx_m=p.ulx_m + away, uly_m=p.uly_m + slip) for p in west]
        return sum(
            bool(_nearest(index, a) & _nearest(index, b)) for a, b in zip(west, east, strict=True)
        )

    found = {300.0: 0, OLCI_GUARD_M["OL_1_EFR"]: 0}
    for heading_deg in (192.0, 221.0, 250.0, 290.0):
        monkeypatch.setattr(swath, "HEADING_DEG", heading_deg)
        lon, lat = swath.Swath(40, 40, (-80.97, 72.99)).geolocation()
        index, corners = SwathIndex(lat, lon), rng.uniform(-900, 900, (15, 2))
        slip = float(rng.uniform(-300, 300))
        for guard_m in found:
            found[guard_m] += pairs_that_share(guard_m)
    assert found[300.0] > 0 == found[450.0]


@pytest.mark.parametrize(("factor", "method"), [(6, "mean"), (30, "mean"), (6, "mtf"), (30, "mtf")])
def test_the_reach_of_a_degradation_is_where_its_pixels_come_from(factor: int, method) -> None:
    tile_px, margin = 64, 40
    reach = reach_px(tile_px, factor, margin, method, 0.2)
    picture = np.random.default_rng(0).uniform(0.1, 0.2, (tile_px + 2 * margin,) * 2 + (1,))
    inner = (slice(margin, margin + tile_px),) * 2

    def low(changed_from: int) -> np.ndarray:
        odd = picture.copy()
        outside = np.ones(odd.shape[:2], bool)
        keep = slice(margin - changed_from, margin + tile_px + changed_from)
        outside[keep, keep] = False
        odd[outside] += 1.0
        options = {"resolution_m": 10.0, "method": method}
        return degrade(odd[inner], factor, margin=odd, **options).pixels

    assert np.array_equal(low(reach), low(margin))
    assert reach == 0 or not np.array_equal(low(reach - 1), low(margin))


def test_the_published_test_tiles_keep_their_split(repository: Path) -> None:
    """docs/real_run.md: T29UNU at 60 m, factor 6, so a guard of 360 m."""
    published = json.loads((repository / "benchmarks" / "results" / "seeds.json").read_text())
    names = published["tiles"]["blocks"]
    rule = SplitRule("block", 20, 0.7, 0.2, BlockGrid(4 * 64 * 60.0), {}, 360.0)
    splits = []
    for name in names:
        x, y = map(int, name.rpartition("_")[2].split("x"))
        place = TilePlace(name, 32629, 499980 + x * 60.0, 5900040 - y * 60.0, 64 * 60.0, "")
        splits.append(rule.split_of(rule.guarded(place)))
    assert splits == ["test"] * 30


def test_the_guard_is_recorded_counted_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path, "--dry-run") == 0
    planned = capsys.readouterr().out
    assert step50(tmp_path) == 0
    out = capsys.readouterr().out
    for name in ("cur_toy", "alt3_toy"):
        folder = tmp_path / name / str(TILE)
        policy, rows = load_contract(folder).split_policy, read_split(folder)
        by_guard = [r for r in rows if r.reason == "guard: a block of another split within 450 m"]
        assert policy.guard_m == 450.0 and policy.dropped_by_guard == len(by_guard) > 0
        assert all(row.split == "dropped" for row in by_guard)
        said = f"{policy.dropped} dropped ({len(by_guard)} by the guard)"
        assert f"{name}: " in out and said in out and said in planned
        assert "split by block with a guard of 450 m" in out


def test_coarser_input_has_a_wider_guard(tmp_path: Path) -> None:
    folder = write_tiles(tmp_path, grid_tiles(5, 5, 4 * STEP))
    text = (folder / "tiles.csv").read_text().replace("OL_1_EFR", "OL_1_ERR")
    (folder / "tiles.csv").write_text(text)
    assert step50(tmp_path, "--block-tiles", "80") == 0
    policy = load_contract(tmp_path / "cur_toy" / str(TILE)).split_policy
    assert policy.guard_m == 1200.0
    alone = tmp_path / "alone"
    alone.mkdir()
    write_tiles(alone, grid_tiles(5, 5, STEP), with_s3=False)
    assert step50(alone) == 0  # factors 3 and 5 of 10 m
    assert load_contract(alone / "alt3_toy" / str(TILE)).split_policy.guard_m == 50.0


def _forget_guard(root: Path) -> None:
    """Make the data sets what an earlier version, which kept no guard, would have left."""
    for name in ("cur_toy", "alt3_toy", "alt5_toy"):
        path = root / name / str(TILE) / "dataset.json"
        content = json.loads(path.read_text())
        del content["split_policy"]["guard_m"], content["split_policy"]["dropped_by_guard"]
        files.write_json(path, content)


def test_data_sets_from_before_are_read_said_to_have_none_and_keep_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    with monkeypatch.context() as earlier:
        earlier.setattr("sensor2sensor.preprocess.records.forms.guard_m", lambda *_: 0.0)
        assert step50(tmp_path) == 0
    _forget_guard(tmp_path)
    folder = tmp_path / "cur_toy" / str(TILE)
    before = {row.name: row.split for row in read_split(folder)}
    capsys.readouterr()
    assert step50(tmp_path) == 0
    out = capsys.readouterr().out
    assert "'toy' was made without a guard between splits; --force makes it anew" in out
    assert f"{sum(split in SPLITS for split in before.values())} already there" in out
    other = "inv_other_2h"
    write_tiles(tmp_path, grid_tiles(5, 5, STEP), inventory=other, seed=9)
    assert step50(tmp_path, "--add", inventory=other) == 0
    policy = load_contract(folder).split_policy
    assert policy.guard_m == policy.dropped_by_guard == 0
    assert policy.described() == "split by block without a guard"
    after = {row.name: row.split for row in read_split(folder)}
    for name, split in before.items():
        assert after[name] == after[name.replace(INV, other)] == split


def test_inputs_of_another_pixel_size_are_not_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path, grid_tiles(5, 5, STEP))
    assert step50(tmp_path) == 0
    folder = write_tiles(tmp_path, grid_tiles(5, 5, STEP), inventory="inv_reduced_2h")
    text = (folder / "tiles.csv").read_text().replace("OL_1_EFR", "OL_1_ERR")
    (folder / "tiles.csv").write_text(text)
    assert step50(tmp_path, "--add", inventory="inv_reduced_2h") == 2
    assert "has input pixels of 300 m, these tiles 1200 m" in capsys.readouterr().err
