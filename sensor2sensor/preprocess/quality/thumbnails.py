"""Tiles as small pictures within a page, all in one stretch, so that what is odd looks odd."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensor2sensor.core.page.section import note
from sensor2sensor.core.page.svg import text
from sensor2sensor.dataset.display import brightness, colour_bands
from sensor2sensor.preprocess.quality.measured import PARTS, Measured
from sensor2sensor.preprocess.quality.outliers import LEAST_TILES, LIMIT, Outlier, typical

SHOWN, TYPICAL = 12, 4
EDGE_PX, QUALITY = 256, 82
Pixels = Callable[[int], NDArray[np.floating]]
ABOUT = (
    "Score z: how far a band's mean or deviation in the tile lies from the median of all tiles, in "
    f"robust standard deviations; beyond {LIMIT} a tile counts as an outlier. That is no fault by "
    "itself: a lake among fields is one too. All pictures share one stretch; a click enlarges."
)


@dataclass(frozen=True)
class Shown:
    """How tiles are shown.

    Attributes:
        bands: Places of red, green and blue among the bands measured.
        low: Value that is black, ``[3]``.
        high: Value that is white, ``[3]``.
        pixels: Reads red, green and blue ``[H, W, 3]`` of the tile at a place.
    """

    bands: tuple[int, int, int]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    pixels: Pixels


def shown(
    measured: Measured,
    names: Sequence[str],
    wavelengths_nm: Sequence[float | None],
    pixels: Callable[[int, tuple[int, int, int]], NDArray[np.floating]],
) -> Shown:
    """How the tiles are shown whose first bands are these; limits from the tiles' own numbers."""
    bands = colour_bands(names, wavelengths_nm, false_colour=True)
    mean, std, least, most = (measured.part(part)[:, list(bands)] for part in PARTS)
    # No tile's pixels reach farther than its extremes: two deviations would go below black.
    low = np.nanpercentile(np.maximum(mean - 2 * std, least), 10, axis=0)
    high = np.nanpercentile(np.minimum(mean + 2 * std, most), 90, axis=0)
    return Shown(bands, low, np.maximum(high, low + 1e-6), lambda place: pixels(place, bands))


def gallery(measured: Measured, found: Sequence[Outlier], how: Shown) -> str:
    """Outliers with their reasons, then a few tiles that are odd in nothing."""
    if len(measured.tiles) < LEAST_TILES:
        return note(f"Fewer than {LEAST_TILES} tiles: nobody can say what is usual.")
    odd = "".join(
        _figure(how, one.place, one.tile, f"{one.reason} (z {one.score:+.1f})")
        for one in found[:SHOWN]
    )
    usual = "".join(
        _figure(how, place, measured.tiles[place], "usual in every band")
        for place in typical(measured, TYPICAL)
    )
    more = f"{len(found)} of {len(measured.tiles)} tiles lie beyond {LIMIT}"
    more += (
        f"; the {SHOWN} oddest are shown, quality.csv has the numbers of all."
        if (len(found) > SHOWN)
        else "."
    )
    told = f'<div class="thumbs">{odd}</div>' if odd else ""
    return (
        f"<p>{text(more)}</p>{told}<h4>For comparison: the most usual tiles</h4>"
        f'<div class="thumbs">{usual}</div>{note(ABOUT)}'
    )


def _figure(how: Shown, place: int, name: str, told: str) -> str:
    try:
        picture = _button(how, place, f"{name}: {told}")
    except Exception as error:  # a tile that cannot be read any more costs its own picture
        picture = note(f"cannot be read ({type(error).__name__})")
    shown_name = text(name).replace("_", "_<wbr>")
    return f"<figure>{picture}<figcaption><b>{shown_name}</b>{text(told)}</figcaption></figure>"


def _button(how: Shown, place: int, alt: str) -> str:
    from PIL import Image

    levels = np.rint(255 * brightness(how.pixels(place), how.low, how.high)).astype(np.uint8)
    picture = Image.fromarray(levels)
    if max(picture.size) > EDGE_PX:
        picture.thumbnail((EDGE_PX, EDGE_PX), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="WEBP", quality=QUALITY, method=2)
    width, height = picture.size
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        '<button class="zoom" type="button" title="enlarge"><img loading="lazy" decoding="async" '
        f'width="{width}" height="{height}" alt="{text(alt)}" src="data:image/webp;base64,{code}">'
        "</button>"
    )
