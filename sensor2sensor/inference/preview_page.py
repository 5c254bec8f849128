"""The page of a preview as text: pictures within it, their legend, and where they come from."""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.versions import __version__
from sensor2sensor.dataset.display import GAMMA, rgba
from sensor2sensor.geo.projections import ground_width_m
from sensor2sensor.inference.finishing import interval_notices
from sensor2sensor.predictors.card import OURS

if TYPE_CHECKING:
    from sensor2sensor.geo.grids import PixelWindow
    from sensor2sensor.inference.method import Method
    from sensor2sensor.inference.scenes.scene import Frame, Image, Scene

# What mail still carries; three bytes of a picture are four letters of the page.
PAGE_BYTES = 8_000_000
_PICTURE_BYTES = (PAGE_BYTES - 200_000) * 3 // 4
# Tried in order until all fits: quality of WebP (100: without loss) of whole scene and details.
_QUALITIES = ((100, 100), (88, 100), (80, 92), (65, 85), (45, 70))
_LOSSLESS_PX = 512 * 512  # a whole scene of more would only be tried in vain
_TEMPLATE = Path(__file__).with_name("preview.html")
_DETAILS = "Details lie where the truth, or without one the input, has most texture."
_TITLES = {"input": "Input", "prediction": "Prediction", "truth": "Truth"}
Limits = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Look:
    """One choice of bands.

    Attributes:
        label: Its name.
        bands: One band (grey) or three (red, green, blue) of each side that is shown.
        limits: ``[[black, white], …]`` of each side, physical.
        gamma: Exponent of each side; that of reflectance where nothing is said.
    """

    label: str
    bands: Mapping[str, tuple[int, ...]]
    limits: Mapping[str, Limits]
    gamma: Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """A window of the frame with each side's values ``[h, w, C]``, NaN where there is none."""

    name: str
    window: PixelWindow
    sides: Mapping[str, Image]


def page(
    scene: Scene, method: Method, looks: Sequence[Look], places: Sequence[Place],
    shift: Sequence[str] = (),
) -> str:  # fmt: skip
    """The page: self-contained, within ``PAGE_BYTES``; equal input gives equal bytes.

    ``shift`` is in what the prediction is of another kind than what its intervals were made for.
    """
    told = [*scene.notices, *interval_notices(method, shift)]
    pictures, looks, note = _pictures(looks, places)
    pixel_m = pixel_size_m(scene.frame)
    sizes = _sizes(method, scene, pixel_m)
    text = {
        "frame": {**_ground(scene.frame), "pixel_m": pixel_m},
        "places": [
            {"name": p.name, "x": p.window.x, "y": p.window.y, "w": p.window.width,
             "h": p.window.height} for p in places
        ],
        "titles": {side: f"{_TITLES[side]}{sizes.get(side, '')}" for side in _TITLES},
        "looks": [
            {"label": look.label, "sides": list(look.bands), "stretch": _stretch(look, method)}
            for look in looks
        ],
    }  # fmt: skip
    known = ["input", "prediction", *(["truth"] if "truth" in looks[0].bands else [])]
    values = {
        "title": html.escape(f"{method.name}: {scene.name}"),
        "model": html.escape(method.name),
        "scene": html.escape(scene.name),
        "lead": html.escape(_lead(known, sizes)),
        "notices": "".join(f"<li>{html.escape(line)}</li>" for line in told),
        "facts": _table(_summary(scene, method, pixel_m) | _scalars(scene)),
        "all": html.escape(_json({"method": dict(method.provenance), "scene": dict(scene.facts)})),
        "details": _DETAILS if len(places) > 1 else "",
        "note": html.escape(note),
        "version": __version__,
        "pictures": "\n".join(pictures),
        "data": json.dumps(text, ensure_ascii=True).replace("<", "\\u003c"),
    }
    # One pass, so that a value that looks like a placeholder stays what it is.
    return re.sub(
        r"\{\{(\w+)\}\}", lambda found: values[found[1]], _TEMPLATE.read_text(encoding="utf-8")
    )


def pixel_size_m(frame: Frame) -> float | None:
    """Width of a pixel on the ground, at the frame's middle; None: unknown."""
    if frame.transform is None or frame.crs is None:
        return None
    return ground_width_m(frame.crs, frame.transform, frame.width_px, frame.height_px)


def _ground(frame: Frame) -> dict[str, Any]:
    transform = None if frame.transform is None else list(frame.transform)
    crs = frame.crs if frame.crs and len(frame.crs) < 20 else ""  # WKT fills a screen
    return {"width": frame.width_px, "height": frame.height_px, "map": transform, "crs": crs}


def _pictures(
    looks: Sequence[Look], places: Sequence[Place]
) -> tuple[list[str], Sequence[Look], str]:
    """The ``<img>`` of every look, place and side; the looks there is room for; what was lost."""
    height, width = places[0].sides["prediction"].shape[:2]
    for chosen in (looks, looks[:1]):
        for qualities in _QUALITIES[height * width > _LOSSLESS_PX :]:
            made = _encoded(chosen, places, qualities)
            if made is not None:
                left = "" if len(chosen) == len(looks) else "Single bands do not fit a page. "
                return made, chosen, left + _said(qualities)
    raise AssertionError("the colours alone are three pictures of a screen's size")


def _encoded(
    looks: Sequence[Look], places: Sequence[Place], qualities: tuple[int, int]
) -> list[str] | None:
    """The pictures as elements; None: they take more than there is room for."""
    room, made = _PICTURE_BYTES, []
    for number, look in enumerate(looks):
        for spot, place in enumerate(places):
            for side in look.bands:
                data = _webp(look, side, place.sides[side], qualities[min(spot, 1)])
                room -= len(data)
                if room < 0:
                    return None
                source = base64.b64encode(data).decode("ascii")
                made.append(
                    f'<img id="p{number}-{spot}-{side}" alt="{_TITLES[side]}"'
                    f' src="data:image/webp;base64,{source}">'
                )
    return made


def _webp(look: Look, side: str, values: Image, quality: int) -> bytes:
    from PIL import Image as Pictures

    shown = rgba(
        values[..., list(look.bands[side])], look.limits[side], look.gamma.get(side, GAMMA)
    )
    picture = Pictures.fromarray(np.ascontiguousarray(np.moveaxis(shown, 0, -1)))
    held = io.BytesIO()
    loss = {"lossless": True, "quality": 40} if quality == 100 else {"quality": quality}
    picture.save(held, "WEBP", method=2, **loss)
    return held.getvalue()


def _said(qualities: tuple[int, int]) -> str:
    whole, detail = ("without loss" if q == 100 else f"WebP of quality {q}" for q in qualities)
    return f"Pictures: whole scene {whole}, details {detail}."


def _sizes(method: Method, scene: Scene, pixel_m: float | None) -> dict[str, str]:
    """``, 60 m`` of each side whose pixel is known."""
    if pixel_m is None:
        return {}
    swath = method.form.kind == "sentinel3"
    given = method.form.input.pixel_m if swath else pixel_m * scene.align_px
    own, coarse = f", {pixel_m:.3g} m", "" if given is None else f", {given:.3g} m"
    return {"input": coarse, "prediction": own, "truth": own}


def _lead(sides: Sequence[str], sizes: Mapping[str, str]) -> str:
    named = [
        f"{_TITLES[side].lower()}{sizes.get(side, '').replace(', ', ' at ')}" for side in sides
    ]
    return f"{', '.join(named[:-1])} and {named[-1]} of the same ground.".capitalize()


def _stretch(look: Look, method: Method) -> str:
    """What black and white stand for, in words."""
    told: dict[str, list[str]] = {}
    for side in look.bands:
        told.setdefault(_ends(look, side, method), []).append(_TITLES[side].lower())
    if len(told) == 1:
        same = ", the same for all sides" if len(look.bands) > 1 else ""
        return f"Black to white{same}: {next(iter(told))}"
    return "Black to white: " + "; ".join(f"{' and '.join(s)} {text}" for text, s in told.items())


def _ends(look: Look, side: str, method: Method) -> str:
    """``B04 0.01 to 0.31, B03 0.02 to 0.3, B02 -0.01 to 0.28 reflectance, gamma 0.5``."""
    bands = (method.form.input if side == "input" else method.form.target).bands
    gamma = look.gamma.get(side, GAMMA)
    names: dict[str, list[str]] = {}
    unit = ""
    for band, (low, high) in zip(look.bands[side], look.limits[side], strict=True):
        known = band < len(bands)  # what is told of the prediction beside it has no band of its own
        unit = f" {bands[band].unit}" if known and bands[band].unit != "1" else ""
        # -0.0 + 0.0 is 0.0: no one reads "-0".
        names.setdefault(f"{low + 0.0:.3g} to {high:.3g}", []).extend(
            [bands[band].name] if known else []
        )
    parts = [" ".join([", ".join(named), ends]).strip() for ends, named in names.items()]
    return ", ".join(parts) + unit + (f", gamma {gamma:g}" if gamma != 1 else "")


def _summary(scene: Scene, method: Method, pixel_m: float | None) -> dict[str, Any]:
    form, frame = method.form, scene.frame
    size = f"{frame.width_px} x {frame.height_px} pixels"
    return {
        "Model": method.name,
        **_weights(method.provenance),
        "Trained on": form.name,
        "Scene": scene.name,
        "Input bands": ", ".join(band.name for band in form.input.bands),
        "Predicted bands": ", ".join(band.name for band in form.target.bands),
        "Size": size if pixel_m is None else f"{size} of {pixel_m:.4g} m",
        "Reference system": _ground(frame)["crs"] or ("WKT, below" if frame.crs else "none"),
    }


def _scalars(scene: Scene) -> dict[str, Any]:
    """What of a scene's facts fits a line and is not said yet, numbers with their units."""
    return dict(
        _with_unit(key, value)
        for key, value in scene.facts.items()
        if isinstance(value, str | int | float) and len(str(value)) < 80
        and value != scene.name and key != "quantification"  # of the file's numbers
    )  # fmt: skip


def _with_unit(key: str, value: Any) -> tuple[str, Any]:
    if key == "cloud_fraction":
        value = f"{100 * value:.3g} %"
    elif key.endswith("_m"):
        key, value = key.removesuffix("_m"), f"{_cell(value)} m"
    return key.replace("_", " ").capitalize(), value


def _weights(known: Mapping[str, Any]) -> dict[str, str]:
    """What tells a trained model from another of its name; of several all that differ."""
    members = known.get("members") or [known.get(OURS, known)]
    said = {"experiment": "Experiment", "run": "Run", "step": "Step of the weights"}
    return {
        label: ", ".join(dict.fromkeys(str(one[key]) for one in members if key in one))
        for key, label in said.items()
        if any(key in one for one in members)
    }


def _table(rows: Mapping[str, Any]) -> str:
    return "\n".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(_cell(value))}</dd>"
        for key, value in rows.items()
    )


def _cell(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False, default=str)
