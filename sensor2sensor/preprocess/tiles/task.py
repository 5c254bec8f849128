"""What a worker of step 40 is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import ProductError
from sensor2sensor.core.manifest import file_fingerprint, fingerprint
from sensor2sensor.preprocess.tiles.draw import CLOUD
from sensor2sensor.preprocess.tiles.folder import TileFolder
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.products.quality import Quality
from sensor2sensor.products.sentinel2 import S2Product


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
        draw: what the draw of its tiles depends on beside the seed and the scene: the name of the
            inventory less what names may say of level, resolution and type, so that one ground is
            drawn alike.
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
    draw: str
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

    def asked(self) -> str:
        """Fingerprint of what was asked for: options, products by name, masks; not their bytes."""
        masks = {name: files.sha256(path) for name, path in self.masks.items()}
        return fingerprint([self.options.deciding(), self.facts, masks])

    @property
    def label(self) -> str:
        """How messages name the scene."""
        return f"scene {self.scene:05d}"


@dataclass(frozen=True)
class SceneResult:
    """What became of a scene.

    Attributes:
        scene: id in the inventory.
        skipped: it was there already.
        tiles: how many it has.
        reasons: positions rejected, by reason.
        exhausted: no further position is left to try.
        cloud_known: whether anything tells where it is cloudy.
        passed_over: a line for each partner that could not be used.
        stays_because: why its tiles of before stay as they are, empty where nothing is the matter.
    """

    scene: int
    skipped: bool
    tiles: int
    reasons: dict[str, int] = field(default_factory=dict)
    exhausted: bool = False
    cloud_known: bool = True
    passed_over: tuple[str, ...] = ()
    stays_because: str = ""


def first_usable(task: SceneTask, *, act: Callable[[SceneTask], SceneResult]) -> SceneResult:
    """Act on a scene with the first of its partners that can be used.

    Finished tiles outlive their products: where those they were made of are gone or damaged they
    stay, and no other partner is looked for.

    Raises:
        ProductError: no partner can be used, or the Sentinel-2 product cannot.
    """
    passed_over: list[str] = []
    attempts = task.attempts()
    for attempt in attempts:
        try:
            return replace(act(attempt), passed_over=tuple(passed_over))
        except ProductError as error:
            of_partner = isinstance(error, PartnerError)
            kept = _kept([attempt] if of_partner else attempts, error)
            if kept is not None:
                return replace(kept, passed_over=tuple(passed_over))
            if not of_partner:
                raise
            if attempt is attempts[-1]:
                raise ProductError("; ".join([*passed_over, str(error)])) from error
            passed_over.append(f"{attempt.facts['s3']} cannot be used ({error})")
    raise AssertionError("a task has a partner to try, or none to need")


def _kept(attempts: Sequence[SceneTask], error: ProductError) -> SceneResult | None:
    """The finished tiles of a scene that were made as one of these asks; None without any."""
    folder, scene = TileFolder(attempts[0].folder), attempts[0].scene
    record = folder.read_record(scene)
    if record is None or record.status != "done" or not record.rows:
        return None
    asked = record.facts.get("asked")
    if asked not in [attempt.asked() for attempt in attempts] or not folder.is_whole(record):
        return None
    return SceneResult(
        scene,
        True,
        len(record.rows),
        cloud_known=any(Quality[name] & CLOUD for name in record.facts["quality_bits"]),
        stays_because=str(error),
    )


def check_usable(product: S2Product, options: TileOptions) -> None:
    """The product has the level and the files the inventory was made for, and a mask of clouds.

    Raises:
        ProductError: it has not.
    """
    if options.level is not None and product.level != options.level:
        what = f"is {product.level}, the inventory lists {options.level}"
        raise ProductError(what, where=product.name, hint="repeat step 20")
    if options.resolution_m not in product.grids:
        raise ProductError(f"has no grid of {options.resolution_m} m", where=product.name)
    missing = product.missing(options.bands, options.resolution_m)
    if missing:
        raise ProductError(f"lacks {', '.join(missing)}", where=product.name)
    if options.cloud_must_be_known and not product.quality_given(options.resolution_m) & CLOUD:
        what = "has no cloud mask (SCL, MSK_CLASSI or MSK_CLOUDS): --max-cloud cannot be kept"
        hint = "fetch it with its QI_DATA, or cut tiles unseen with --unknown-cloud accept"
        raise ProductError(what, where=product.name, hint=hint)


def input_marks(path: Path, members: list[str]) -> list[Any]:
    """Cheap identity of a product: the zip, or every file of the folder that will be opened."""
    if path.is_file():
        return [file_fingerprint(path)]
    found = (path / member for member in members)
    return [[file.name, file_fingerprint(file)] for file in found if file.is_file()]
