"""Eight tiles of a split that every run is shown on, whatever it scores there.

Best and worst are other tiles for each run. These are drawn by a hash of data set, split and name,
one of each scene in turn, so that models can stand beside each other on the same ground.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.display import view
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.evaluation.gallery import guesses_of, input_picture
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.protocol import Images, Predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

COUNT = 8
RANK = "fixed"
INPUT, TRUTH = "input", "truth"


def fixed_tiles(evaluation: Evaluation, dataset: str) -> list[int]:
    """Places of the fixed tiles among those that were scored, in the order they were drawn.

    Args:
        evaluation: The scores.
        dataset: Name of the data set.
    """
    keys: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for place, row in enumerate(evaluation.of(evaluation.methods[0])):
        draw = keyed_hash(0, "fixed", dataset, evaluation.split, row.name)
        keys[row.scene].append((draw, place))
    scenes = sorted(sorted(own) for own in keys.values())  # by the lowest draw of each
    turns = range(max(map(len, scenes), default=0))
    every = [own[turn][1] for turn in turns for own in scenes if turn < len(own)]
    return every[:COUNT]


def write_fixed(
    evaluation: Evaluation,
    predictors: Mapping[str, Predictor],
    dataset_dir: Path,
    contract: DatasetContract,
    folder: Path,
    *,
    by_batch: bool = False,
    **filters: Any,
) -> list[dict[str, Any]]:
    """Draw input, prediction, baseline and truth of each fixed tile, a file for each.

    Pixel for pixel: a picture has the size of its tile, and input pixels are repeated.

    Args:
        evaluation: The scores.
        predictors: Those of the evaluation; the first and the strongest baseline are shown.
        dataset_dir: Where the tiles are read again.
        contract: Of the data set: bands and fixed value ranges for display.
        folder: ``_evaluation/<stem>_gallery``.
        by_batch: Whether a prediction depends on the tiles it is made with.
        filters: Those of the evaluation.

    Returns:
        For each picture: file (relative to the folder's parent), rank ``fixed``, tile, caption, and
        as ``panel`` what it shows: ``input``, ``truth`` or the method.
    """
    refs = list_records(dataset_dir, evaluation.split, **filters)
    names = [evaluation.methods[0], *([evaluation.reference] if evaluation.reference else [])]
    shown = {name: predictors[name] for name in names}
    alike = not by_batch and all(len(draws_of(one)) == 1 for one in shown.values())
    size = 1 if alike else evaluation.batch_size
    entries = []
    for number, place in enumerate(fixed_tiles(evaluation, contract.name), start=1):
        start = place // size * size
        batch = list(iterate_refs(refs[start : start + size], contract))
        tile = batch[place - start]
        images = {m: g[place - start] for m, g in guesses_of(batch, shown, draws=1).items()}
        pictures = _pictures(contract, {**images, TRUTH: tile.target})
        for panel, picture in {INPUT: input_picture(tile, contract), **pictures}.items():
            path = folder / f"{RANK}-{number}-{panel}.png"
            files.write_bytes(path, _png(picture))
            entry = {"file": f"{folder.name}/{path.name}", "rank": RANK, "tile": tile.name}
            entries.append({**entry, "caption": f"{panel}, tile {tile.name}", "panel": panel})
    return entries


def _pictures(contract: DatasetContract, images: Mapping[str, Images]) -> dict[str, Images]:
    photo = contract.target.dtype == "uint8"
    bands, ranges = contract.target.bands, contract.target_ranges()
    shown = view(bands, ranges, contract.colour(), photo=photo)
    return {name: shown.picture(image) for name, image in images.items()}


def _png(picture: Images) -> bytes:
    from PIL import Image

    whole = np.asarray(picture)
    if whole.dtype != np.uint8:
        whole = np.rint(np.clip(np.nan_to_num(whole), 0.0, 1.0) * 255.0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
