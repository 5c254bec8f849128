"""Whole images of a data set that holds them in squares: mask, photo, and what is made of both.

A generator that learned squares is looked at twice: given the whole mask at once, as small as a
square is stored, and given square by square, which are joined.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.dataset.display import View, view
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.dataset.records import dense_record
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.protocol import Images, Predictor
from sensor2sensor.sources.aerial.squares import CutImage, cut_images
from sensor2sensor.sources.resampling import resampled

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

LARGEST_PX = 1200  # edge of a panel; a square is shown smaller where there are many
GAP_PX, TITLE_PX = 12, 28
DPI = 100
OTHER_BATCHES = "; predicted by rows, in other batches than the scores"

Rows = Callable[[], Iterator[list["TileRecord"]]]


def write_joined(
    predictor: Predictor,
    dataset_dir: Path,
    contract: DatasetContract,
    split: str,
    folder: Path,
    *,
    named: Sequence[str] = (),
    by_batch: bool = False,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Draw the images that hold a tile that is named, else the first one; none where none is whole.

    Args:
        predictor: The model; of one with draws the first.
        dataset_dir: Where the squares are read.
        contract: The data set's contract.
        split: Whose images are drawn.
        folder: ``_evaluation/<stem>_gallery``.
        named: Tiles whose images are drawn.
        by_batch: Whether what a square is predicted with changes its prediction.
        enforce_suffix: The filters of the evaluation.
        exclude_suffix: The filters of the evaluation.
        exclude_tiles: The filters of the evaluation.

    Returns:
        For each picture: file (relative to the folder's parent), rank, tile (the image), caption.
    """
    found = list_records(dataset_dir, split, enforce_suffix, exclude_suffix, exclude_tiles)
    refs = {ref.name: ref for ref in found}
    images = cut_images(contract, refs)
    wanted = [i for i in images if any(name in row for row in i.rows for name in named)]
    entries = []
    # l2 divides an image by its own norm: nothing can be joined then.
    chosen = [] if predictor.normalised else (wanted or images[:1])
    for number, image in enumerate(chosen, start=1):

        def rows(image: CutImage = image) -> Iterator[list[TileRecord]]:
            for names in image.rows:
                yield list(iterate_refs([refs[name] for name in names], contract))

        path = folder / f"joined-{number}.png"
        files.write_bytes(path, sheet(panels(image, rows, draws_of(predictor)[0], contract)))
        caption = f"{image.name} of {split}: the whole mask at once, and {image.count} x "
        caption += f"{image.count} squares joined"
        caption += OTHER_BATCHES if by_batch else ""
        entry = {"file": f"{folder.name}/{path.name}", "rank": path.stem, "tile": image.name}
        entries.append({**entry, "caption": caption})
    return entries


def panels(
    image: CutImage, rows: Rows, predictor: Callable[..., Any], contract: DatasetContract
) -> dict[str, Images]:
    """Mask, photo, and both predictions by title, ``[P, P, 3]`` from 0 to 1, no two edges apart.

    Args:
        image: The image.
        rows: Gives its squares, row by row; one row is in memory at a time.
        predictor: Predicts tiles.
        contract: The data set's.
    """
    stored_px, count = contract.tile_px, image.count
    shown_px = max(1, min(stored_px, LARGEST_PX // count))
    mask, photo = _views(contract)
    lines: dict[str, list[Images]] = {"mask": [], "photo": [], "joined": []}
    for tiles in rows():
        guesses = np.asarray(predictor(tiles))
        inputs = [mask.picture(_input(tile)) for tile in tiles]
        truths = [photo.picture(tile.target) for tile in tiles]
        joined = [photo.picture(guess) for guess in guesses]
        for name, squares in zip(lines, (inputs, truths, joined), strict=True):
            small = [_smaller(square, shown_px) for square in squares]
            lines[name].append(np.concatenate(small, axis=1))
    made = {name: np.concatenate(line) for name, line in lines.items()}
    whole = photo.picture(np.asarray(predictor([_whole(image, rows, contract)]))[0])
    # Pixels of the whole are shown as large as they are, not smoothed.
    places = np.arange(count * shown_px) * stored_px // (count * shown_px)
    at_once = f"made of the whole mask at once ({stored_px} x {stored_px} pixels)"
    return {
        f"mask of {image.name}": made["mask"],
        "photo": made["photo"],
        at_once: whole[np.ix_(places, places)],
        f"made of {count} x {count} squares, joined": made["joined"],
    }


def _views(contract: DatasetContract) -> tuple[View, View]:
    sides = (
        (contract.input, contract.input_ranges(), contract.colour("input")),
        (contract.target, contract.target_ranges(), contract.colour()),
    )
    mask, photo = (
        view(spec.bands, ranges, colour, photo=spec.dtype == "uint8")
        for spec, ranges, colour in sides
    )
    return mask, photo


def _input(tile: TileRecord) -> Images:
    assert tile.input_dense is not None, "a mask lies on its photo's grid"
    return tile.input_dense


def _smaller(picture: Images, edge_px: int) -> Images:
    """A square picture with fewer pixels, each the mean of its area."""
    if len(picture) == edge_px:
        return picture
    return np.asarray(resampled([picture], len(picture), edge_px, area=True), np.float32)


def _whole(image: CutImage, rows: Rows, contract: DatasetContract) -> TileRecord:
    """The mask as if step 52 had not cut it: a pixel is building where half of its area is."""
    stored_px = contract.tile_px
    stripes = (np.concatenate([_input(tile) for tile in tiles], axis=1) for tiles in rows())
    shares = resampled(stripes, image.count * stored_px, stored_px, area=True)
    # Of the target a predictor takes the size alone.
    target = np.zeros((stored_px, stored_px, len(contract.target.bands)), np.float32)
    return dense_record(image.name, target, (shares >= 0.5).astype(np.float32))


def sheet(shown: Mapping[str, Images]) -> bytes:
    """Four panels, two beside two, pixel by pixel, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    edge = len(next(iter(shown.values())))
    width, height = 2 * edge + 3 * GAP_PX, 2 * (edge + TITLE_PX) + GAP_PX
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    # Without pyplot, which would look for a display and keep every figure alive.
    FigureCanvasAgg(figure)
    for number, (title, picture) in enumerate(shown.items()):
        row, column = divmod(number, 2)
        left = GAP_PX + column * (edge + GAP_PX)
        top = height - (row + 1) * TITLE_PX - row * edge
        figure.figimage(picture[::-1], left, top - edge, origin="lower")
        # A $ in the name of an image would begin a formula.
        figure.text(left / width, (top + 8) / height, title, fontsize=8, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
