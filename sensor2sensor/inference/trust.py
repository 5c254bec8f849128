"""``--trust``: beside a prediction, how far it departs from what its input supports.

The map is made of the written prediction and the scene, square by square, in a file of its own: the
prediction keeps its bytes, whatever led to it, and a map can be had of one that is there already.
What it says is defined in :mod:`sensor2sensor.predictors.departure`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.form import Form
from sensor2sensor.geo.grids import PixelWindow, up
from sensor2sensor.inference.cog import WrittenCog, read_cog, write_cog
from sensor2sensor.inference.output import TRUST_SUFFIX, OutputBand
from sensor2sensor.inference.quicklook import physical
from sensor2sensor.inference.scenes.scene import Cropped, Image, Scene, placed
from sensor2sensor.predictors.departure import PARTS, departure
from sensor2sensor.predictors.support import Support, support_of
from sensor2sensor.sources.geotiffs import opened

if TYPE_CHECKING:
    from sensor2sensor.dataset.records import TileRecord

CORE_PX = 512
_TAPS = 2  # input pixels that interpolation looks at beyond one
# Of a swath: the ground of one pixel may be three wide at its edge, and its neighbours' as well.
_SWATH_PX = 4
_ON_SCENE = "linear between the swath's pixels, on a line fitted over the scene"
_ON_PART = f"{_ON_SCENE}'s part alone"
_OF, _FACTS = "S2S_TRUST_OF", "S2S_TRUST"
_NOT_MADE = {"S2S_SYNTHETIC": "no: how far a prediction departs from what its input supports"}


@dataclass(frozen=True)
class WrittenTrust:
    """The map of a prediction.

    Attributes:
        cog: The file.
        facts: Bands, definition and means, plain JSON.
    """

    cog: WrittenCog
    facts: dict[str, Any]

    @property
    def told(self) -> str:
        """A line for the user."""
        means = ", ".join(f"{name} {self.facts['mean'][name]:.3g}" for name in PARTS)
        bands = ", ".join(one["target"] for one in self.facts["matched"])
        out = self.facts["left_out"]
        rest = f"; the input has no {', '.join(out)}" if out else ""
        if self.facts["up"] == _ON_PART:
            rest += (
                "; held against a line fitted to this part, which hides what is off in all of it"
            )
        return f"{self.cog.path.name}: mean {means} {self.facts['unit']} over {bands}{rest}"


def trust_path(out: Path) -> Path:
    """``out_trust.tif`` of ``out.tif``."""
    return out.with_stem(f"{out.stem}{TRUST_SUFFIX}")


def refuse_trustless(form: Form) -> Support:
    """What the input of a model says of its target, or a refusal.

    Raises:
        ConfigError: Nothing that a prediction could be held against.
    """
    return support_of(form, "--trust")


def known_trust(out: Path) -> WrittenTrust | None:
    """The map beside a prediction, where it is that of these very bytes."""
    path = trust_path(out)
    if not path.exists() or not out.exists():
        return None
    try:
        cog = read_cog(path)
        with opened(path) as source:
            tags = source.tags()
            if tags.get(_OF) != files.sha256(out):
                return None
            return WrittenTrust(cog, {**json.loads(tags[_FACTS]), "mean": _means(source)})
    except (InputError, OSError, ValueError, KeyError):  # another's file, or one cut short
        return None


def write_trust(out: Path, scene: Scene, form: Form) -> WrittenTrust:
    """Write the map of a prediction; one that is there already is kept.

    Args:
        out: The prediction.
        scene: What it was made of.
        form: Of the model.

    Raises:
        ConfigError: The input says nothing of the target.
        OSError: There is no room.
    """
    if (there := known_trust(out)) is not None:
        return there
    support, path = refuse_trustless(form), trust_path(out)
    with opened(out) as source:
        squares = Squares(support, scene, source)
        if not support.calibrated:
            squares.support = support.with_lines(squares.lines())
        bands = tuple(OutputBand(name, support.unit, kind="trust") for name in PARTS)
        facts = squares.facts()
        tags = {_OF: files.sha256(out), _FACTS: json.dumps(facts), **_NOT_MADE}
        made = write_cog(path, scene.frame, bands, squares.strips(), tags=tags)
    with opened(path) as written:
        return WrittenTrust(made, {**facts, "mean": _means(written)})


@dataclass
class Squares:
    """A scene and its prediction, square by square.

    Attributes:
        support: Bands and grids; of a swath in another unit, with lines once they are found.
        scene: The input.
        source: The prediction, opened by rasterio.
    """

    support: Support
    scene: Scene
    source: Any

    @property
    def unit_px(self) -> int:
        """Squares begin at multiples of it: of an input pixel, of the coarsest band's own."""
        own = [self.support.form.input.bands[one.source].native_px for one in self.support.matches]
        return self.scene.align_px * math.lcm(*own)

    @property
    def margin_px(self) -> int:
        """Beyond a square, so that its values do not depend on where it begins."""
        if self.support.swath:
            return _SWATH_PX * math.ceil(self.support.form.factor)
        return _TAPS * self.unit_px

    def strips(self) -> Iterator[Image]:
        """``[h, W, 3]`` from top to bottom, NaN where the prediction has no value."""
        height, width = self.scene.frame.shape
        for row in progress(self._starts(0), desc=f"trust {self.scene.name}", unit="strip"):
            top, end = max(row, 0), min(row + self._side, height)
            strip = np.full((end - top, width, len(PARTS)), np.nan, np.float32)
            for column in self._starts(1):
                core = PixelWindow(column, row, self._side, self._side)
                found = self._seen(core)
                if found is None:
                    continue
                tile, image = found
                values = departure(self.support, tile, image)
                left, right = max(column, 0), min(column + self._side, width)
                m = self.margin_px
                inner = values[
                    m + top - row : m + end - row, m + left - column : m + right - column
                ]
                strip[:, left:right] = inner
            yield strip

    def lines(self) -> list[tuple[float, float]]:
        """Slope and offset of each band that take the input to the prediction, over the scene.

        A swath is in another unit than the target, and only what is left of that line can be told
        to depart: a prediction that is too bright everywhere is not seen. Fitted to single target
        pixels it is that of a fit to input pixels, each counted by its ground.
        """
        sums = np.zeros((6, len(self.support.matches)))
        for row in self._starts(0):
            for column in self._starts(1):
                found = self._seen(PixelWindow(column, row, self._side, self._side))
                if found is not None:
                    sums += self._sums(*found)
        count, x, y, xx, xy, _ = sums / np.maximum(sums[0], 1)
        spread = np.maximum(xx - x * x, 0.0)
        # A band that never varies explains nothing: the mean is left.
        slope = np.divide(xy - x * y, spread, out=np.zeros_like(x), where=spread > 0)
        offset = np.where(count > 0, y - slope * x, 0.0)
        return [(float(a), float(b)) for a, b in zip(slope, offset, strict=True)]

    def facts(self) -> dict[str, Any]:
        """What is compared, and how."""
        support = self.support
        # Only there is a prediction: an invention that fills the part is in the line itself.
        swath = _ON_PART if isinstance(self.scene, Cropped) else _ON_SCENE
        return {
            **support.facts(), "unit": support.unit,
            "up": swath if support.swath else "bicubic (a = -0.5)",
            "down": "mean over each input pixel",
            "lines": None if support.lines is None else [list(line) for line in support.lines],
        }  # fmt: skip

    @property
    def _side(self) -> int:
        return up(CORE_PX, self.unit_px)

    def _starts(self, axis: int) -> range:
        """Where squares begin along rows (0) or columns (1); the first perhaps before a part."""
        _, part = placed(self.scene)
        first = (part.y, part.x)[axis] % self.unit_px
        return range(-first, self.scene.frame.shape[axis], self._side)

    def _seen(self, core: PixelWindow) -> tuple[TileRecord, npt.NDArray[np.float32]] | None:
        """The input of a square with its margin, and the prediction there, NaN beyond it."""
        place = core.expanded(self.margin_px)
        found = self.scene.window(place, self.margin_px)
        if found is None:
            return None
        height, width = self.scene.frame.shape
        image = np.full((place.height, place.width, len(self.support.matches)), np.nan, np.float32)
        # On a grid no mean reaches beyond the square, which begins and ends with input pixels.
        wanted = place if self.support.swath else core
        top, left = max(wanted.y, 0), max(wanted.x, 0)
        end = min(wanted.y + wanted.height, height)
        right = min(wanted.x + wanted.width, width)
        here = PixelWindow(left, top, right - left, end - top)
        values = physical(self.source, here, (here.height, here.width), self.support.targets)
        image[top - place.y : end - place.y, left - place.x : right - place.x] = values
        return found.record, image

    def _sums(self, tile: TileRecord, image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        m = self.margin_px
        index = self.support.index(tile)[m:-m, m:-m]
        y = image[m:-m, m:-m].astype(np.float64)
        there = np.isfinite(y).all(axis=-1) & (index > 0)
        x, y = self.support.low(tile)[index[there] - 1], y[there]
        terms = [np.ones_like(x), x, y, x * x, x * y, y * y]
        return np.asarray(np.stack(terms).sum(axis=1))


def _means(source: Any) -> dict[str, float]:
    """Mean of each band of a map over its valid pixels, block by block."""
    total, count = np.zeros(len(PARTS)), 0
    for _, window in source.block_windows(1):
        block = source.read(window=window, masked=True)
        total += block.astype(np.float64).sum(axis=(1, 2)).filled(0.0)
        count += int((~np.ma.getmaskarray(block)[0]).sum())
    means = total / max(count, 1)
    return {name: float(f"{mean:.6g}") for name, mean in zip(PARTS, means, strict=True)}
