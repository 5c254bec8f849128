"""What a worker of step 40 is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ProductError
from sensor2sensor.preprocess.tifs_options import TileOptions


class PartnerError(ProductError):
    """The Sentinel-3 product of a scene cannot be used; its next partner may do."""


@contextmanager
def partner_at_fault() -> Iterator[None]:
    """Say of a ProductError inside the block that the Sentinel-3 product is the one at fault."""
    try:
        yield
    except PartnerError:
        raise
    except ProductError as error:
        raise PartnerError(error.what, where=error.where, hint=error.hint) from error


@dataclass(frozen=True)
class SceneTask:
    """What a worker needs to know of one scene; can be pickled.

    Attributes:
        scene: id in the inventory.
        inventory: its name.
        s2: path of the Sentinel-2 product.
        s3: path of its partner, or None for Sentinel-2 alone.
        facts: columns of ``tiles.csv`` known beforehand (paths, dates).
        masks: KML file by name.
        folder: where tiles go.
        overlay: where the overlay picture goes.
        options: what decides the tiles.
        verify: compare the files read with the products' checksums.
        others: path and facts of further partners, to be taken in this order where those before
            them are gone or damaged.
    """

    scene: int
    inventory: str
    s2: Path
    s3: Path | None
    facts: dict[str, Any]
    masks: dict[str, Path]
    folder: Path
    overlay: Path
    options: TileOptions
    verify: bool
    others: tuple[tuple[Path, dict[str, Any]], ...] = ()

    def attempts(self) -> list[SceneTask]:
        """This task with one partner after the other."""
        alone = replace(self, others=())
        return [alone, *(replace(alone, s3=s3, facts=facts) for s3, facts in self.others)]

    @property
    def label(self) -> str:
        """How messages name the scene."""
        return f"scene {self.scene:05d}"


@dataclass(frozen=True)
class SceneResult:
    """What became of a scene; `passed_over` has a line for each partner that could not be used."""

    scene: int
    skipped: bool
    tiles: int
    reasons: dict[str, int] = field(default_factory=dict)
    exhausted: bool = False
    passed_over: tuple[str, ...] = ()
