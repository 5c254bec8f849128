"""A scene held whole, a prediction of it, and their preview."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sensor2sensor.dataset.bands import reflectance_band
from sensor2sensor.dataset.contract import InputSpec, TargetSpec
from sensor2sensor.dataset.form import Form
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.inference.cog import write_cog
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import output_bands
from sensor2sensor.inference.preview import means, write_preview
from sensor2sensor.inference.scenes.scene import Frame, SceneWindow
from sensor2sensor.predictors.tiling import Tiling

NASTY = """S2A"><img src=x onerror="pwned=1"></script><script>pwned=1</script>&amp;{{facts}}"""
BANDS = tuple(reflectance_band(n, w) for n, w in (("B02", 492.4), ("B03", 559.8), ("B04", 664.6)))
HEIGHT, WIDTH, FACTOR = 98, 131, 4  # neither a multiple of the factor
UTM = Frame(WIDTH, HEIGHT, (10.0, 0.0, 500000.0, 0.0, -10.0, 6000000.0), "EPSG:32629")


def form(**given) -> Form:
    said = {"layout": "dense", "bands": BANDS, "dtype": "uint16", "index_dtype": "int32"}
    said |= {"max_pixels": 1, "grid": (16, 16), "pixel_m": 40.0, **given}
    return Form(
        name="rural", kind="degraded", tile_px=64, resolution_m=10.0, factor=FACTOR,
        input=InputSpec(**said), target=TargetSpec(bands=BANDS, dtype="uint16"),
    )  # fmt: skip


class Held:
    """A scene held whole: its truth, and blocks of it as input; a corner has no data."""

    align_px, frame, name = FACTOR, UTM, NASTY
    notices = ("level L2A, trained on L1C",)
    facts: ClassVar = {"product": NASTY, "level": "L2A", "offsets": {"B02": -1000}}

    def __init__(self) -> None:
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        green = 0.1 + 0.001 * columns
        town = (rows >= 40) & (rows < 72) & (columns >= 88) & (columns < 120)
        houses = np.where((rows // 6 + columns // 6) % 2, 0.25, 1.0)
        green[town] = (np.where((rows + columns) % 2, 0.05, 0.4) * houses)[town]
        other = np.where(town, 0.5, 0.02)  # black beside the town, which is some 8 % of all
        self.values = np.stack([other, green, other], -1).astype(np.float32)
        self.values[:20, :24] = np.nan
        edge = [(0, -HEIGHT % FACTOR), (0, -WIDTH % FACTOR), (0, 0)]
        self.coarse = means(np.pad(self.values, edge, mode="edge"), FACTOR)
        self.asked = []

    def window(self, place, halo_px=0):
        self.asked.append(place)
        assert not any(n % FACTOR for n in (place.x, place.y, place.width, place.height))
        part = self.coarse[
            place.y // FACTOR : (place.y + place.height) // FACTOR,
            place.x // FACTOR : (place.x + place.width) // FACTOR,
        ]
        valid = np.isfinite(part).all(-1)
        if not valid.any():
            return None
        blank = np.zeros((place.height, place.width, 3), np.float32)
        grown = valid.repeat(FACTOR, 0).repeat(FACTOR, 1)
        return SceneWindow(dense_record("w", blank, np.nan_to_num(part)), grown)

    def truth(self, place):
        assert place.inside(WIDTH, HEIGHT)
        return self.values[place.rows, place.columns]


class Unknown(Held):
    def truth(self, place):
        return None


def method(of=None, **provenance) -> Method:
    return Method("edsr", [], of or form(), Tiling(8), 1, {"step": 100, **provenance})


def red(path):
    """The prediction: red all over, but for what has no data; stored as int16."""
    values = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    values[..., 2] = 0.3
    values[:20, :24] = np.nan
    write_cog(path, UTM, output_bands(form()), [values[:50], values[50:]], dtype="int16")
    return path


def written(folder, cog, scene=None, of=None):
    path = folder / "out.html"
    write_preview(path, scene or Held(), cog, of or method())
    return path
