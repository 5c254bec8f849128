"""Where a model improves, leaves out and makes up, and where it departs from its input."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.trust import CLASSES, DISTANCES
from sensor2sensor.core import files
from sensor2sensor.dataset.display import view
from sensor2sensor.dataset.upsampling import upsample
from sensor2sensor.evaluation.gallery import picks
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.evaluation.shares import batches
from sensor2sensor.evaluation.trust import TrustScorer
from sensor2sensor.predictors.departure import departure
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.protocol import Predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

PANEL_INCH = 2.1
# Told apart by people who see no red or no green, too; what is not judged is next to paper.
COLOURS = {"improvement": "#2b7bba", "omission": "#f2c45a", "hallucination": "#c2255c"}
NOT_JUDGED = "#ececec"
DEPARTURE_SHARE = 0.05  # of the value range, white: fixed, so that sheets compare
Classes = npt.NDArray[np.int8]


def write_trust_maps(
    evaluation: Evaluation,
    predictors: Mapping[str, Predictor],
    dataset_dir: Path,
    contract: DatasetContract,
    folder: Path,
    *,
    named: Sequence[str] = (),
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Draw the tiles of the gallery: a sheet ``trust-<rank>.png`` for each.

    Args:
        evaluation: Of profile trust or its kin.
        predictors: Those of the evaluation; the first and the strongest baseline are shown.
        dataset_dir: Where the tiles are read again.
        contract: The data set's contract.
        folder: ``_evaluation/<stem>_gallery``.
        named: Tiles to draw, where the split has any of them.
        enforce_suffix: The filters of the evaluation.
        exclude_suffix: The filters of the evaluation.
        exclude_tiles: The filters of the evaluation.

    Returns:
        For each picture: file (relative to the folder's parent), rank, tile, caption.
    """
    from sensor2sensor.pipeline.reader import iterate_tiles

    scorer, size = evaluation.trust, evaluation.batch_size
    wanted = {pick.position: pick for pick in picks(evaluation, named)}
    if scorer is None or not wanted:
        return []
    names = [evaluation.methods[0], *([evaluation.reference] if evaluation.reference else [])]
    filters = {"enforce_suffix": enforce_suffix, "exclude_suffix": exclude_suffix}
    last = min((max(wanted) // size + 1) * size, evaluation.tiles)
    tiles = iterate_tiles(
        dataset_dir, contract, evaluation.split, limit=last, exclude_tiles=exclude_tiles, **filters
    )
    entries: dict[int, dict[str, Any]] = {}
    for number, batch in enumerate(batches(tiles, size)):
        here = [position for position in wanted if position // size == number]
        # In the batches of the scores, which a tile's neighbours may be part of.
        shown = {n: np.asarray(draws_of(predictors[n])[0](batch)) for n in names} if here else {}
        for position in here:
            pick, place = wanted[position], position % size
            images = {name: batches_of[place] for name, batches_of in shown.items()}
            values = {n: evaluation.of(n)[position].values for n in names}
            caption = f"{pick.rank}: {_told(values, scorer)}, tile {pick.name}"
            path = folder / f"trust-{pick.rank}.png"
            files.write_bytes(path, _sheet(scorer, batch[place], images, contract, caption))
            file = f"{folder.name}/{path.name}"
            entry = {"file": file, "rank": pick.rank, "tile": pick.name, "caption": caption}
            entries[position] = entry
    return [entries[position] for position in wanted]


def _told(values: Mapping[str, Mapping[str, float]], scorer: TrustScorer) -> str:
    """``model 61 % improvement, 20 % omission, 19 % hallucination (ND); bicubic …``."""
    mark = scorer.variant.distance
    methods = [
        f"{method} " + ", ".join(f"{_percent(row[f'{n}_{mark}'])} {n}" for n in CLASSES)
        for method, row in values.items()
    ]
    return f"{'; '.join(methods)} (distance {DISTANCES[mark][0]})"


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"


def _sheet(
    scorer: TrustScorer,
    tile: TileRecord,
    images: Mapping[str, npt.NDArray[Any]],
    contract: DatasetContract,
    title: str,
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    first, support = next(iter(images)), scorer.support
    photo = contract.target.dtype == "uint8"
    eye = view(contract.target.bands, contract.target_ranges(), contract.colour(), photo=photo)
    pictures = {"input": _input_picture(tile, contract), first: eye.picture(images[first])}
    pictures["truth"] = eye.picture(tile.target)
    seen = scorer.seen(tile)
    own = {n: image[..., support.targets].astype(np.float64) for n, image in images.items()}
    count = len(pictures) + len(own) + 1
    figure = Figure(figsize=(count * PANEL_INCH + 0.9, PANEL_INCH + 1.15), dpi=110)
    figure.set_layout_engine("constrained")
    FigureCanvasAgg(figure)  # without pyplot, which would look for a display
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)
    axes = iter(figure.subplots(1, count, squeeze=False)[0])
    for name, picture in pictures.items():
        _shown(next(axes), name, picture)
    for name, image in own.items():
        _shown(next(axes), f"classes of {name}", painted(scorer.classes(seen, image)))
    ranges = contract.target_ranges()[support.targets]
    limit = DEPARTURE_SHARE * float(np.mean(ranges[:, 1] - ranges[:, 0]))
    # Of the model alone: interpolation departs nowhere.
    found, last = departure(support, tile, own[first])[..., 0], next(axes)
    drawn = _shown(last, f"departure of {first}", found, vmin=0, vmax=limit, cmap="magma")
    bar = figure.colorbar(drawn, ax=last, extend="max", shrink=0.95)
    bar.set_label(f"departure from the input ({support.unit})", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    marks = [Patch(color=colour, label=name) for name, colour in COLOURS.items()]
    marks.append(Patch(color=NOT_JUDGED, label="not judged: nothing to tell apart"))
    figure.legend(
        handles=marks, loc="outside lower left", ncols=len(marks), fontsize=8, frameon=False
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _shown(panel: Any, title: str, image: npt.NDArray[Any], **options: Any) -> Any:
    panel.set_title(title, fontsize=9)
    panel.set_axis_off()
    return panel.imshow(image, interpolation="nearest", **options)


def painted(classes: Classes) -> npt.NDArray[np.float64]:
    """A colour ``[H, W, 3]`` for each pixel's class, ``[H, W]`` with -1 for none."""
    from matplotlib.colors import to_rgb

    table = np.array([to_rgb(one) for one in (*COLOURS.values(), NOT_JUDGED)])
    return np.asarray(table[classes])  # -1 is the last


def _input_picture(tile: TileRecord, contract: DatasetContract) -> npt.NDArray[Any]:
    spec = contract.input
    colour, photo = contract.colour("input"), spec.dtype == "uint8"
    shown = view(spec.bands, contract.input_ranges(), colour, photo=photo)
    return np.asarray(shown.picture(np.asarray(upsample(tile, "nearest"))))
