"""The card of an exported model: the YAML file beside its ONNX file.

``model``, ``bands``, ``factor`` and ``margin`` are the four keys of the public tool
``sentinel2_superresolution``, whose own cards are read, too; any other key is provenance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.slips import decoded
from sensor2sensor.products.theia import BANDS_10M, BANDS_20M

KEYS = ("model", "bands", "factor", "margin")
OURS = "sensor2sensor"  # the key of our provenance


@dataclass(frozen=True)
class Card:
    """What a model takes and makes.

    Attributes:
        path: The YAML file.
        model: The ONNX file.
        bands: Theia's names, in the model's order; it makes what it takes.
        factor: Output pixels along a side of an input pixel.
        margin: Output pixels at each side of a window that are not to be used.
        provenance: What else it says.
    """

    path: Path
    model: Path
    bands: tuple[str, ...]
    factor: int
    margin: int
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def halo_px(self) -> int:
        """Input pixels around a window: the margin, whole (wsx4 has 130 of factor 4)."""
        return -(-self.margin // self.factor)

    @property
    def source_m(self) -> int:
        """Pixel of the input, metres: 10 where any band has it, as the public tool decides."""
        return 10 if set(self.bands) & set(BANDS_10M) else 20


def read_card(path: Path) -> Card:
    """Read and check a card; its ONNX file is there and, where a digest is kept, the one meant.

    Raises:
        InputError: It is none; every message names the key.
    """
    said = mapping(path)
    if lacking := [key for key in KEYS if key not in said]:
        near = [key for key in said if key not in KEYS]
        hint = suggestion(lacking[0], near) if near else "it needs model, bands, factor and margin"
        raise InputError(f"has no '{lacking[0]}'", where=path, hint=hint)
    bands = _bands(path, said["bands"])
    factor = _whole(path, said, "factor", least=1)
    margin = _whole(path, said, "margin", least=0)
    place = PurePath(str(said["model"]))
    # A card may come from anywhere, and what it names is opened.
    if place.is_absolute() or ".." in place.parts:
        raise InputError(f"model: '{place}' leaves the folder", where=path)
    model = path.parent / place
    if not model.is_file():
        raise InputError(f"model: there is no {model.name} beside it", where=path)
    provenance = {key: value for key, value in said.items() if key not in KEYS}
    _refuse_other_model(path, model, provenance.get(OURS))
    return Card(path, model, bands, factor, margin, provenance)


def mapping(path: Path) -> dict[str, Any]:
    """The keys of a card, unchecked.

    Raises:
        InputError: It has none.
    """
    from ruamel.yaml import YAML, YAMLError

    try:
        said = YAML(typ="safe", pure=True).load(decoded(path.read_bytes(), path, InputError))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from None
    except YAMLError as error:
        raise InputError(f"is no YAML ({' '.join(str(error).split())[:120]})", where=path) from None
    if not isinstance(said, dict):
        raise InputError("is no card: it has no keys", where=path, hint="give the .yaml file")
    return said


def _bands(path: Path, said: Any) -> tuple[str, ...]:
    known = BANDS_10M + BANDS_20M
    if not isinstance(said, list) or not said:
        raise InputError("bands: is no list of names", where=path)
    for name in said:
        if name not in known:
            hint = suggestion(str(name), known)
            raise InputError(f"bands: no band '{name}' of Theia", where=path, hint=hint)
    if len(set(said)) < len(said):
        raise InputError("bands: one is named twice", where=path)
    return tuple(said)


def _whole(path: Path, said: Mapping[str, Any], key: str, least: int) -> int:
    value = said[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or value != int(value) or value < least:
        raise InputError(f"{key}: {value!r} is no whole number from {least} on", where=path)
    return int(value)


def _refuse_other_model(path: Path, model: Path, ours: Any) -> None:
    stated = ours.get("onnx_sha256") if isinstance(ours, dict) else None
    if stated is not None and files.sha256(model) != stated:
        what = f"{model.name} is not the file this card was written for (other SHA-256)"
        raise InputError(what, where=path, hint="export again, or copy both files")
