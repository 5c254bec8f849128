"""The map beside a prediction: where texture was planted and nowhere else, whatever the squares."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
import rasterio
from scipy.spatial import cKDTree

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference import beside, trust
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.output import output_bands
from sensor2sensor.inference.scenes.scene import Cropped, Frame, SceneWindow
from sensor2sensor.inference.stac import Told, is_prediction, write_sidecar
from sensor2sensor.inference.trust import known_trust, trust_path, write_trust
from sensor2sensor.predictors.support import support_of
from sensor2sensor.predictors.tiling import Tiling
from tests.unit.inference.arrays import ArrayScene, form, ground, method

FACTOR, SIDE = 4, 30  # input pixels: squares of 32 target pixels end within the scene
PLANTED = (slice(40, 60), slice(20, 36))


def scene():
    return ArrayScene(ground(SIDE, SIDE), FACTOR, facts={"datetime": "2024-01-01T00:00:00Z"})


def bicubic(one):
    margin = 2 * FACTOR  # beyond the scene lies its mirror image, as for the baseline
    record = one.window(one.frame.full_window.expanded(margin)).record
    large = support_of(form(FACTOR), "x").up(record)
    return large[margin:-margin, margin:-margin].astype(np.float32)


def prediction(tmp_path, image, frame=None, name="a.tif"):
    path = tmp_path / name
    write_cog(path, frame or scene().frame, output_bands(form(FACTOR)), [image])
    return path


@pytest.fixture
def made(tmp_path):
    image = bicubic(scene())
    board = np.indices((20, 16)).sum(0) % 2 - 0.5
    image[PLANTED] += 0.2 * board[..., None].astype(np.float32)
    image[100:, 90:] = np.nan  # beyond a swath's edge, say
    return prediction(tmp_path, image)


def values(path):
    with rasterio.open(path) as source:
        assert source.descriptions == ("departure", "misfit", "detail")
        assert set(source.units) == {"reflectance"} and "no:" in source.tags()["S2S_SYNTHETIC"]
        return np.moveaxis(source.read(), 0, -1)


def test_it_lights_up_where_texture_was_planted_and_nowhere_else(made):
    written = write_trust(made, scene(), form(FACTOR))
    shown = values(written.cog.path)
    lit = np.zeros(shown.shape[:2], bool)
    lit[PLANTED] = True
    none = np.zeros_like(lit)
    none[100:, 90:] = True
    assert np.isnan(shown[none]).all()
    np.testing.assert_allclose(shown[lit][:, 0], 0.1, rtol=1e-4)
    np.testing.assert_allclose(shown[lit][:, 2], 0.1, rtol=1e-4)
    # Rounding of a bicubic kernel in another window: a millionth of what was planted.
    assert shown[~lit & ~none].max() < 1e-6
    assert written.facts["mean"]["departure"] == pytest.approx(shown[~none][:, 0].mean(), rel=1e-4)
    assert written.facts["matched"][0] == {"target": "B02", "input": "B02", "by": "name"}
    assert "B02, B03" in written.told


def test_squares_show_no_seam_and_a_repeat_gives_the_same_bytes(made, monkeypatch):
    whole = values(write_trust(made, scene(), form(FACTOR)).cog.path)
    first = trust_path(made).read_bytes()
    trust_path(made).unlink()
    assert write_trust(made, scene(), form(FACTOR)) and trust_path(made).read_bytes() == first
    trust_path(made).unlink()
    monkeypatch.setattr(trust, "CORE_PX", 30)
    held = scene()
    cut = values(write_trust(made, held, form(FACTOR)).cog.path)
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    # No more than a square and its margin is asked for, however large the scene.
    assert max(place.width for place in held.asked) == 32 + 2 * 2 * FACTOR


def test_of_a_part_it_is_that_part_of_the_whole(made, tmp_path, monkeypatch):
    whole = values(write_trust(made, scene(), form(FACTOR)).cog.path)
    part = Cropped(scene(), PixelWindow(12, 32, 48, 40))
    with rasterio.open(made) as source:
        image = np.moveaxis(source.read(), 0, -1)[32:72, 12:60]
    path = prediction(tmp_path, image, part.frame, "part.tif")
    monkeypatch.setattr(trust, "CORE_PX", 24)
    found = values(write_trust(path, part, form(FACTOR)).cog.path)
    np.testing.assert_allclose(found, whole[32:72, 12:60], atol=1e-6)


def test_a_map_is_kept_with_its_prediction_listed_and_goes_with_it(made, tmp_path):
    words = {"quicklook": False, "preview": False, "as_dataset": False, "trust": True}
    args, using = argparse.Namespace(**words), method(tiling=Tiling(2), factor=FACTOR)
    assert trust_path(made) in list(beside.companions(made, args))
    shown, kept = beside.write_beside(made, scene(), using, args)
    told = Told({"name": "arithmetic"}, {"name": "array", **scene().facts})
    from sensor2sensor.inference.cog import read_cog

    write_sidecar(read_cog(made), told, shown, kept)
    asset = json.loads(made.with_suffix(".json").read_text())["assets"]["trust"]
    assert asset["href"] == "./a_trust.tif" and asset["bands"][0]["name"] == "departure"
    assert asset["s2s:trust"]["down"] == "mean over each input pixel"
    assert is_prediction(trust_path(made)) and is_prediction(made)
    # Asked again without it, it is still listed; begun and not finished, it is made anew.
    again = beside.write_beside(
        made, scene(), using, argparse.Namespace(**words | {"trust": False})
    )
    assert again[1].facts == kept.facts and again[1].cog.path == kept.cog.path
    before = trust_path(made).read_bytes()
    trust_path(made).write_bytes(before[:1000])
    assert known_trust(made) is None
    beside.write_beside(made, scene(), using, args)
    assert trust_path(made).read_bytes() == before
    beside.remove(made)
    assert not trust_path(made).exists()
    # A map of another prediction is none of this one's.
    beside.write_beside(made, scene(), using, args)
    prediction(tmp_path, bicubic(scene()))
    assert known_trust(made) is None


def test_a_model_whose_input_measures_no_target_band_has_no_map():
    plain = form(FACTOR)
    radar = tuple(b.model_copy(update={"name": f"V{i}", "wavelength_nm": None})
                  for i, b in enumerate(plain.input.bands))  # fmt: skip
    other = plain.model_copy(update={"input": plain.input.model_copy(update={"bands": radar})})
    with pytest.raises(ConfigError, match=r"--trust compares .* no target band"):
        trust.refuse_trustless(other)


class SwathScene:
    """Pixels turned against the grid, in another unit: 50 times the reflectance, and 2 more."""

    name, align_px, notices, facts, step = "swath", 1, (), {}, 8.0

    def __init__(self, side: int = 64) -> None:
        self.frame = Frame(side, side, (10.0, 0.0, 5e5, 0.0, -10.0, 6e6), "EPSG:32631")
        j, i = np.meshgrid(np.arange(-16, 17), np.arange(-16, 17))
        x = side / 2 + self.step * (np.cos(0.3) * j - np.sin(0.3) * i).ravel()
        y = side / 2 + self.step * (np.sin(0.3) * j + np.cos(0.3) * i).ravel()
        # Off the lattice by a little: of four pixels on one circle either diagonal may be taken.
        self.xy = np.stack([x, y], -1) + np.random.default_rng(0).normal(0, 0.3, (len(x), 2))
        waves = 0.2 + 0.05 * np.stack([np.sin(x / 20) + np.cos(y / 15), np.sin((x + y) / 25)], -1)
        self.pixels = (50 * waves + 2).astype(np.float32)

    def window(self, place, halo_px=0):
        rows, columns = np.mgrid[place.rows, place.columns] + 0.5
        _, number = cKDTree(self.xy).query(np.stack([columns, rows], -1).reshape(-1, 2))
        kept, index = np.unique(number, return_inverse=True)
        xy = (self.xy[kept] - [place.x, place.y]) * 10.0
        shape = (place.height, place.width)
        blank = np.zeros((*shape, 2), np.float32)
        grid = (index.reshape(shape) + 1).astype(np.int32)
        return SceneWindow(
            TileRecord("s", blank, self.pixels[kept], xy, grid), np.ones(shape, bool)
        )


def test_a_swath_in_another_unit_is_held_against_its_line_over_the_scene(tmp_path, monkeypatch):
    plain = form(1)
    radiance = tuple(b.model_copy(update={"unit": "radiance"}) for b in plain.input.bands)
    spec = plain.input.model_copy(update={"layout": "pixels", "grid": None, "bands": radiance})
    swath = plain.model_copy(update={"input": spec, "kind": "sentinel3", "factor": 8.0})
    one = SwathScene()
    whole = one.window(one.frame.full_window.expanded(40)).record
    lines = [(0.02, -0.04), (0.02, -0.04)]
    large = support_of(swath, "x").with_lines(lines).up(whole)[40:-40, 40:-40].astype(np.float32)
    board = np.indices((6, 6)).sum(0) % 2 - 0.5
    planted = large.copy()
    planted[30:36, 24:30] += 0.2 * board[..., None].astype(np.float32)
    index = whole.input_index[40:-40, 40:-40]
    lit = np.isin(index, np.unique(index[30:36, 24:30]))
    found = {}
    for core in (64, 32):
        monkeypatch.setattr(trust, "CORE_PX", core)
        path = prediction(tmp_path, planted, one.frame, f"{core}.tif")
        written = write_trust(path, one, swath)
        found[core] = values(written.cog.path)
    # A line over the scene: that of a truth but for what interpolation does between pixels.
    for slope, offset in written.facts["lines"]:
        assert slope == pytest.approx(0.02, rel=0.06) and offset == pytest.approx(-0.04, abs=0.02)
    assert found[64][lit][:, 0].min() > 5 * found[64][~lit][:, 0].max()
    np.testing.assert_allclose(found[32], found[64], atol=1e-5)  # no seam where squares meet
    # Of a part there is no other prediction, and whoever looks at it has to know that.
    part = Cropped(one, PixelWindow(0, 0, 32, 32))
    path = prediction(tmp_path, planted[:32, :32], part.frame, "part.tif")
    told = write_trust(path, part, swath)
    assert told.facts["up"] == f"{written.facts['up']}'s part alone"
    assert "fitted to this part" in told.told and "this part" not in written.told
    assert known_trust(path).told == told.told
