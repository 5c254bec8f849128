"""The facts of a product as JSON, and the product of its facts: what is in its metadata, no more.

Floats and times keep every digit, so that a product of facts says what the product itself said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sensor2sensor.core.watched import LaterFiles
from sensor2sensor.geo.grids import Grid
from sensor2sensor.products.reading import Checksum, ListedFile
from sensor2sensor.products.sentinel2 import S2Product
from sensor2sensor.products.sentinel3 import S3Product

_PRODUCTS = {"S2": S2Product, "S3": S3Product}
_PARTS: dict[str, Any] = {one.__name__: one for one in (Grid, ListedFile, Checksum)}
# Where a product lies is no fact of it: it may be moved, and is looked for anew each time.
_NO_FACTS = ("path", "files")


def facts_of(product: S2Product | S3Product) -> dict[str, Any]:
    """Facts of a product, to be written as JSON."""
    names = [one.name for one in fields(product) if one.name not in _NO_FACTS]
    return {name: _plain(getattr(product, name)) for name in names}


def product_of(sensor: str, facts: Mapping[str, Any], path: Path) -> S2Product | S3Product:
    """The product at a path, of its facts; its files are opened when they are asked for.

    Raises:
        ValueError, TypeError, KeyError: these are no facts of a product.
    """
    known = {name: _made(value) for name, value in facts.items()}
    made: S2Product | S3Product = _PRODUCTS[sensor](path=path, files=LaterFiles(path), **known)
    return made


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {"map": [[_plain(key), _plain(one)] for key, one in value.items()]}
    if is_dataclass(value) and type(value).__name__ in _PARTS:
        return {type(value).__name__: [_plain(getattr(value, one.name)) for one in fields(value)]}
    if hasattr(value, "wkb_hex"):
        return {"wkb": value.wkb_hex}
    raise TypeError(f"{type(value).__name__} is no fact of a product")


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_made(one) for one in value)
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "time":
        return datetime.fromisoformat(content)
    if kind == "map":
        return {_made(key): _made(one) for key, one in content}
    if kind == "wkb":
        import shapely

        return shapely.from_wkb(content)
    return _PARTS[kind](*(_made(one) for one in content))
