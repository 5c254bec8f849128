"""Maps beside photos as a source of a data set.

The two halves of a file are a pair. Patches of one file go to one split, since they are its unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.progress import progress
from sensor2sensor.dataset.build import dense_input, draft_contract, drawn
from sensor2sensor.dataset.contract import DatasetContract, TargetSpec
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.sources import pictures
from sensor2sensor.sources.maps.halves import ENDINGS, Bytes, SidePicture, halves, look
from sensor2sensor.sources.maps.options import MapsOptions
from sensor2sensor.sources.resampling import resampled
from sensor2sensor.sources.source import Item, Listing, Source, listing, with_validation


class MapsSource(Source):
    """The pictures below a folder.

    Args:
        folder: Holds ``train/`` and perhaps ``val/`` and ``test/``.
        options: Of step 51.
    """

    step, version = "51", 1

    def __init__(self, folder: Path, options: MapsOptions) -> None:
        self.dataset, self._folder, self._asked = options.dataset, folder, options
        self.options = options.as_json()
        self.command = options.command(folder)
        self.drafts = (_draft(options),)

    def plan(self) -> Listing:
        """Every patch with its split; headers and digests are read."""
        kinds = _split_folders(self._folder)
        found: dict[str, list[SidePicture]] = {}
        notes = []
        for kind in kinds:
            paths, others = pictures.pictures_in(self._folder / kind, ENDINGS)
            if kind == "train" and not paths:
                hint = f"convert the other files ({others})" if others else "put the pairs there"
                what = "holds no JPEG or PNG picture"
                raise InputError(what, where=self._folder / kind, hint=hint)
            found[kind] = list(map(look, progress(paths, desc=f"looking at {kind}", unit="file")))
            if others:
                notes.append(
                    f"files that are neither JPEG nor PNG ({others}) left alone in {kind}/"
                )
        items = [
            item
            for kind, split in kinds.items()
            for picture in found[kind]
            for item in self._items(kind, split, picture)
        ]
        items, told = _with_drawn(items, kinds, self._asked, self._folder)
        notes += [*told, *self._unused([p for each in found.values() for p in each])]
        made = listing(self._asked.name, items)
        return replace(made, listed_in="the list of images", notes=tuple(notes))

    def _items(self, kind: str, split: str, picture: SidePicture) -> Iterable[Item]:
        unit = pictures.sample_name(self._asked.name, f"{kind}_{picture.path.stem}", None)
        windows: Sequence[PixelWindow | None] = self._asked.windows(picture.side_px)
        fault = picture.fault
        if not fault and not windows:
            fault = f"has halves of {picture.side_px} pixels, less than a patch of "
            fault += f"{self._asked.tile_px}; --resize_images enlarges them"
        for window in windows if not fault else [None]:
            corner = None if self._asked.resize else window
            cut = None if window is None else [window.x, window.y, window.width]
            yield Item(
                name=pictures.sample_name(self._asked.name, f"{kind}_{picture.path.stem}", corner),
                unit=unit,
                made_from={"picture": picture.sha256, "cut": cut},
                split=split,
                source_sha256=picture.sha256,
                payload=(replace(picture, fault=fault), window),
            )

    def _unused(self, found: Sequence[SidePicture]) -> list[str]:
        """What share of the pixels no patch shows."""
        sound = [(p.side_px, self._asked.windows(p.side_px)) for p in found if not p.fault]
        whole = sum(side**2 for side, _ in sound)
        if self._asked.resize or self._asked.overlap or not whole:
            return []
        lost = 1 - sum(len(windows) for _, windows in sound) * self._asked.tile_px**2 / whole
        told = f"{lost:.2%} of the pixels are in no patch; --overlap takes them in"
        return [told] if lost else []

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        """The two halves, or a patch of them, at the size that is stored."""
        picture, window = item.payload
        left, right = (self._cut(half, window) for half in halves(picture))
        ends = (left, right) if self._asked.direction == "right-to-left" else (right, left)
        return (dense_record(item.name, *ends),)

    def _cut(self, half: Bytes, window: PixelWindow) -> npt.NDArray[np.float32]:
        cut = half[window.rows, window.columns]
        # Exact where the sizes are equal, and within 0 to 255: the weights are positive.
        made = np.rint(resampled([cut], window.width, self._asked.tile_px))
        return made.astype(np.float32)


def _draft(options: MapsOptions) -> DatasetContract:
    # Named apart: the red of a drawn map is no measurement of what the photo's red measures.
    photo = tuple(pictures.picture_band(name, "photo") for name in pictures.COLOURS)
    drawing = tuple(pictures.picture_band(f"map_{name}", "map") for name in pictures.COLOURS)
    source, target = drawing, photo
    if options.direction == "left-to-right":
        source, target = photo, drawing
    shown = [(bands[0].name, bands[1].name, bands[2].name) for bands in (source, target)]
    return draft_contract(
        name=options.dataset,
        kind="paired",
        tile_px=options.tile_px,
        resolution_m=None,
        factor=1.0,
        input=dense_input(source, "uint8", options.tile_px, display=shown[0]),
        target=TargetSpec(bands=target, dtype="uint8", display=shown[1]),
        split_policy=drawn("given", options.seed),
    )


def _split_folders(folder: Path) -> dict[str, str]:
    """The split of each folder: what was published as ``val/`` alone is for testing.

    Raises:
        InputError: There is no ``train/``.
    """
    there = [kind for kind in ("train", "val", "test") if (folder / kind).is_dir()]
    if "train" not in there:
        hint = "--data names the folder that holds train/ and val/"
        # Archives often have the folder's name once more within.
        deeper = next((p.parent.name for p in sorted(folder.glob("*/train")) if p.is_dir()), None)
        hint += f", as {folder.name}/{deeper} does" if deeper else ""
        raise InputError("has no train/ folder", where=folder, hint=hint)
    lone = "test" not in there
    return {kind: "test" if kind == "val" and lone else kind for kind in there}


def _with_drawn(
    items: list[Item], kinds: dict[str, str], options: MapsOptions, folder: Path
) -> tuple[list[Item], list[str]]:
    """The items with the splits that no folder gives, and what is to be said of that.

    Raises:
        InputError: How many images are to be drawn is not said, or none is to be drawn.
    """
    asked, given = options.val_from_train, set(kinds.values())
    if "val" in given:
        if asked is not None:
            what = "has val/ and test/, nothing is drawn from train/"
            raise InputError(what, where=folder, hint="leave out --val-from-train")
        return items, []
    if "test" not in given and asked is None:
        hint = "--val-from-train N draws N images of train/ for validation and N others for testing"
        raise InputError("has no val/ folder", where=folder, hint=hint)
    # Drawn from what can be used: of few images a grey one would be all that validates.
    usable = [item for item in items if not item.payload[0].fault]
    images = len({item.unit for item in usable if item.split == "train"})
    times = 1 if "test" in given else 2
    count = max(1, images // 10) if asked is None else asked
    if images <= times * count:  # too few: what is refused is named in the end
        usable, images = items, len({item.unit for item in items if item.split == "train"})
    told = [f"{count} of {images} images of train/ are for validation"]
    if "test" not in given:
        told = [f"{told[0]}, {count} others for testing: there is no val/ folder"]
        usable = [
            replace(i, split="test") if i.split == "val" else i
            for i in with_validation(usable, count, options.seed)
        ]
    elif "val" in kinds:
        told.append("val/ is for testing, as it was published")
    splits = {i.name: i.split for i in with_validation(usable, count, options.seed)}
    return [replace(i, split=splits.get(i.name, i.split)) for i in items], told
