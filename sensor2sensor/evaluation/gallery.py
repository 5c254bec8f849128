"""Pictures of the best, median and worst tile: input, prediction, baseline, truth and errors."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.config.trust import DISTANCES
from sensor2sensor.core import files
from sensor2sensor.dataset.display import view
from sensor2sensor.evaluation.definitions import info
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.evaluation.shares import batches
from sensor2sensor.predictors.draws import draws_of
from sensor2sensor.predictors.protocol import Images, Predictor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord

# By likeness to the eye first: the worst RMSE is that of the brightest tile, snow or cloud.
RANKED_BY = ("hpsi", "hpsi_bands", "ssim", "rmse", *(f"improvement_{name}" for name in DISTANCES))
# Errors are shown up to this share of the value range; fixed, so that sheets compare.
ERROR_SHARE = 0.25
PANEL_INCH = 2.1
SHOWN_DRAWS = 4  # of a model that is not the same each time
CHOSEN = "chosen"

Guesses = dict[str, list[Images]]  # by title, one for each tile of a batch


@dataclass(frozen=True)
class Pick:
    """A tile worth looking at.

    Attributes:
        rank: ``best``, ``median`` or ``worst``; ``chosen-1`` and so on of tiles that are named.
        position: Its place in the split.
        name: Its name.
        metric: What it was ranked by, or would have been.
        value: The model's value there.
    """

    rank: str
    position: int
    name: str
    metric: str
    value: float


def picks(evaluation: Evaluation, named: Sequence[str] = ()) -> list[Pick]:
    """The named tiles of the split, in their order; where it has none of them, by their scores.

    That is the best, median and worst tile of the first method; fewer where fewer have a value.
    """
    rows = evaluation.of(evaluation.methods[0])
    places = {row.name: place for place, row in enumerate(rows)}
    wanted = [places[name] for name in dict.fromkeys(named) if name in places]
    if wanted:
        scored = evaluation.metrics
        first = next(name for name in (*RANKED_BY, *scored) if name in scored)
        return [
            Pick(f"{CHOSEN}-{number}", i, rows[i].name, first, rows[i].values[first])
            for number, i in enumerate(wanted, start=1)
        ]
    for metric in (name for name in RANKED_BY if name in evaluation.metrics):
        known = [(row.values[metric], i) for i, row in enumerate(rows)]
        known = [(value, i) for value, i in known if math.isfinite(value)]
        if known:
            order = sorted(known, reverse=info(metric).better == "higher")
            chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
            unique: dict[int, Pick] = {}
            for rank, (value, i) in chosen.items():
                # Of few tiles one may be best and median at once: it is drawn under its first rank.
                unique.setdefault(i, Pick(rank, i, rows[i].name, metric, value))
            return list(unique.values())
    return []


@dataclass(frozen=True)
class _Panels:
    """What one sheet shows, in order; errors share one colour scale."""

    images: dict[str, Images]
    errors: dict[str, Images]
    limit: float
    unit: str


def _draw_image(axes: Axes, title: str, image: Images, **options: Any) -> Any:
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])
    # Not smoothed, which would draw detail that nobody predicted.
    return axes.imshow(image, interpolation="nearest", **options)


def _sheet(panels: _Panels, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(panels.images) + len(panels.errors)
    figure = Figure(figsize=(count * PANEL_INCH + 0.9, PANEL_INCH + 0.75), dpi=110)
    figure.set_layout_engine("constrained")
    # Without pyplot, which would look for a display and keep every figure alive.
    FigureCanvasAgg(figure)
    # A $ in the name of a tile would begin a formula.
    figure.suptitle(title, fontsize=9, x=0.01, ha="left", parse_math=False)
    axes = figure.subplots(1, count, squeeze=False)[0]
    for panel, (name, image) in zip(axes, panels.images.items(), strict=False):
        _draw_image(panel, name, image)
    for panel, (name, error) in zip(axes[len(panels.images) :], panels.errors.items(), strict=True):
        shown = _draw_image(panel, name, error, vmin=0.0, vmax=panels.limit, cmap="magma")
    bar = figure.colorbar(shown, ax=axes[-1], extend="max", shrink=0.95)
    bar.set_label(f"mean |error| ({panels.unit})", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def input_picture(tile: TileRecord, contract: DatasetContract) -> Images:
    """The input in its own colours on the target's grid, ``[H, W, 3]`` in 0..1."""
    from sensor2sensor.dataset.upsampling import upsample

    spec = contract.input
    colour, photo = contract.colour("input"), spec.dtype == "uint8"
    # Nearest, so that the coarse pixels are seen as the sensor gave them.
    shown = view(spec.bands, contract.input_ranges(), colour, photo=photo)
    return shown.picture(np.asarray(upsample(tile, "nearest")))


def guesses_of(
    batch: Sequence[TileRecord], predictors: Mapping[str, Predictor], draws: int = SHOWN_DRAWS
) -> Guesses:
    """What each predictor makes of a batch, ``[B, H, W, Ct]`` by the title of its panel."""
    # l2 divides an image by its norm, which a network never learns: the truth's own lends it.
    targets = [tile.target.astype(np.float64) for tile in batch]
    norms = [float(np.sqrt(np.sum(np.square(target)))) for target in targets]
    guesses = {}
    for name, predictor in predictors.items():
        for number, draw in enumerate(draws_of(predictor)[:draws], start=1):
            made = list(np.asarray(draw(batch)))
            shown_as = name if number == 1 else f"{name}, draw {number}"
            if predictor.normalised:
                made = [guess * norm for guess, norm in zip(made, norms, strict=True)]
            guesses[shown_as] = made
    return guesses


def _panels(
    tile: TileRecord, guesses: Mapping[str, Images], first: Collection[str],
    contract: DatasetContract,
) -> _Panels:  # fmt: skip
    """Panels of one tile; of the methods ``first`` the errors too."""
    ranges = contract.target_ranges()
    photo = contract.target.dtype == "uint8"
    shown = view(contract.target.bands, ranges, contract.colour(), photo=photo)
    images = {"input": input_picture(tile, contract)}
    images |= {name: shown.picture(guess) for name, guess in guesses.items()}
    images["truth"] = shown.picture(tile.target)
    errors = {
        f"error of {name}": np.mean(np.abs(guess - tile.target), axis=-1)
        for name, guess in guesses.items()
        if name in first
    }
    limit = ERROR_SHARE * float(np.mean(ranges[:, 1] - ranges[:, 0]))
    return _Panels(images, errors, limit, contract.target_unit())


def _caption(pick: Pick, evaluation: Evaluation) -> str:
    """Rank, tile and every method's value of the ranking metric; tiles without one have no rank."""
    label = info(pick.metric).label
    shown = [evaluation.methods[0], *([evaluation.reference] if evaluation.reference else [])]
    values = {m: evaluation.of(m)[pick.position].values[pick.metric] for m in shown}
    text = ", ".join(f"{method} {value:.3f}" for method, value in values.items())
    if pick.rank.startswith(CHOSEN):
        return f"{label} {text}, tile {pick.name}"
    ranked = evaluation.summary[evaluation.methods[0]][pick.metric].count
    among = "" if ranked == evaluation.tiles else f" among {ranked} of {evaluation.tiles} tiles"
    return f"{pick.rank}{among} by {label} ({text}), tile {pick.name}"


def write_gallery(
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
    """Draw the tiles that are named, else the best, median and worst one of the first method.

    Args:
        evaluation: The scores that rank the tiles.
        predictors: Those of the evaluation; the first and the strongest baseline are shown.
        dataset_dir: Where the tiles are read again.
        contract: The data set's contract: bands and fixed value ranges for display.
        folder: ``_evaluation/<stem>_gallery``.
        named: Tiles to draw, where the split has any of them.
        enforce_suffix: The filters of the evaluation.
        exclude_suffix: The filters of the evaluation.
        exclude_tiles: The filters of the evaluation.

    Returns:
        For each picture: file (relative to the folder's parent), rank, tile, caption.
    """
    from sensor2sensor.pipeline.reader import iterate_tiles

    wanted = {pick.position: pick for pick in picks(evaluation, named)}
    if not wanted:
        return []
    names = [evaluation.methods[0], *([evaluation.reference] if evaluation.reference else [])]
    shown = {name: predictors[name] for name in names}
    size = evaluation.batch_size
    # Tiles after the batch of the last wanted one are not read.
    last = min((max(wanted) // size + 1) * size, evaluation.tiles)
    entries: dict[int, dict[str, Any]] = {}
    # Read again: a whole split of tiles and predictions does not fit into memory.
    tiles = iterate_tiles(
        dataset_dir,
        contract,
        evaluation.split,
        limit=last,
        enforce_suffix=enforce_suffix,
        exclude_suffix=exclude_suffix,
        exclude_tiles=exclude_tiles,
    )
    for number, batch in enumerate(batches(tiles, size)):
        here = [position for position in wanted if position // size == number]
        # In the batches of the scores, which a tile's neighbours may be part of.
        guesses = guesses_of(batch, shown) if here else {}
        for position in here:
            pick, place = wanted[position], position % size
            own = {title: images[place] for title, images in guesses.items()}
            panels = _panels(batch[place], own, names, contract)
            caption, path = _caption(pick, evaluation), folder / f"{pick.rank}.png"
            files.write_bytes(path, _sheet(panels, caption))
            entry = {"file": f"{folder.name}/{path.name}", "rank": pick.rank, "tile": pick.name}
            entries[position] = {**entry, "caption": caption}
    return [entries[position] for position in wanted]
