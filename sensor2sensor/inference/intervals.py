"""Intervals of a method: calibrated on blocks of val, tried on blocks of test.

Both lead the method over tiles as :mod:`sensor2sensor.inference.tiles` does, which is how whole
products are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, InputError, ModelContractError
from sensor2sensor.core.progress import progress
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.ancestry import inherited, sources_of
from sensor2sensor.dataset.calibration import first_block
from sensor2sensor.dataset.ledger import SplitRow, overpass_in
from sensor2sensor.dataset.recordfile import RecordRef, iterate_refs
from sensor2sensor.dataset.when import SEASONS, date_of, hemispheres, season_of
from sensor2sensor.inference.finishing import kinds_of
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.scenes.tile import TileScene
from sensor2sensor.inference.tiles import Predicted, edge_px, predicted
from sensor2sensor.predictors.conformal import Coverage, Pooled
from sensor2sensor.predictors.interval_words import other_mode
from sensor2sensor.predictors.intervals import (
    Intervals,
    floors_of,
    intervals_for,
    members_of,
    place_of,
    quantiles,
    read_intervals,
    scores_of,
)

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

Member = tuple[Any, Run, *tuple[Any, ...]]  # experiment, run, and what is not asked for here


@dataclass(frozen=True)
class Ground:
    """Tiles of a data set, those of a block after each other.

    Attributes:
        folder: ``<data_root>/<dataset>/<tilesize>``.
        contract: Its contract.
        rows: Of ``split.csv``, ordered by block; a tile on several counts to the first, as in
            evaluations: blocks must not overlap.
        left_out: Blocks that are no part of them, as intervals were calibrated on their ground.
    """

    folder: Path
    contract: DatasetContract
    rows: tuple[SplitRow, ...]
    left_out: int = 0

    @property
    def scenes(self) -> tuple[str, ...]:
        """Overpasses that saw the tiles; empty where not of every tile one is known."""
        found = {row.overpass or overpass_in(row.name) for row in self.rows}
        return () if "" in found else tuple(sorted(found))

    @property
    def seasons(self) -> tuple[str, ...]:
        """Meteorological seasons of the tiles; empty where that of one is not known."""
        north = hemispheres(self.rows)
        found = {season_of(row, date_of(row), north[row.name]) for row in self.rows}
        return () if "" in found else tuple(one for one in SEASONS if one in found)

    @property
    def blocks(self) -> Mapping[str, str]:
        """The block of each tile."""
        return {row.name: first_block(row) for row in self.rows}

    def tiles(self, method: Method, desc: str) -> Iterator[tuple[str, Iterator[Predicted]]]:
        """Each block with its tiles, predicted."""
        refs = [
            RecordRef(row.name, self.folder / row.file, row.offset, row.length) for row in self.rows
        ]
        shown = progress(iterate_refs(refs, self.contract), total=len(refs), desc=desc, unit="tile")
        blocks = self.blocks
        yield from groupby(predicted(method, shown), key=lambda one: blocks[one.name])

    def edge_px(self, method: Method) -> int:
        """Pixels at each edge of a tile that are left out."""
        row = self.rows[0]
        ref = RecordRef(row.name, self.folder / row.file, row.offset, row.length)
        (record,) = iterate_refs([ref], self.contract)
        return edge_px(method, TileScene(record, method.form))


def ground(
    folder: Path, contract: DatasetContract, rows: Sequence[SplitRow], left_out: int = 0
) -> Ground:
    """Tiles of a data set, block by block."""
    ordered = sorted(rows, key=lambda row: (first_block(row), row.name))
    return Ground(folder, contract, tuple(ordered), left_out)


def calibrated(method: Method, ground: Ground, level: float) -> Intervals:
    """The quantiles of a method's scores over blocks that nothing was chosen by.

    Args:
        method: What predicts, its weights restored.
        ground: The calibration blocks.
        level: Of the intervals.

    Raises:
        ConfigError: No target band was measured.
        ModelContractError: The method's values cannot be undone, or are no numbers.
    """
    if any(one.normalised for one in method.predictors):
        what = "its normalisation cannot be undone: there are no physical values to compare"
        hint = "train with another normalisation than l2, or without calibration"
        raise ModelContractError(what, where=method.name, hint=hint)
    method = replace(method, intervals=None)
    bands = method.form.target.bands
    places = [place for place, band in enumerate(bands) if band.reference]
    if not places:
        raise ConfigError("no target band was measured: none can be calibrated", where=method.name)
    spreads = kinds_of(method) != ("prediction",)
    floors = floors_of([method.form.target_ranges[place] for place in places])
    pooled = Pooled(bands[place].name for place in places)
    for _, tiles in ground.tiles(method, "calibrate"):
        for tile in tiles:
            mean, spread = _parts(tile.made, len(bands), places, spreads)
            scores = scores_of(tile.truth[..., places], mean, spread, floors)
            pooled.add(scores.reshape(-1, len(places)))
        pooled.close()
    kept = floors if spreads else [0.0] * len(places)
    found, sound = quantiles(pooled, level, [bands[place] for place in places], kept)
    members, draws = members_of(method.provenance)
    return Intervals(
        level=level, score="spread" if spreads else "absolute", calibrated=sound,
        blocks=min(pooled.blocks.values()), bands=found, edge_px=ground.edge_px(method),
        dataset=ground.contract.name, dataset_sha256=_sha256(ground), scenes=ground.scenes,
        seasons=ground.seasons, members=members, draws=draws,
    )  # fmt: skip


def _parts(made: Any, count: int, places: list[int], spreads: bool) -> tuple[Any, Any]:
    """Mean, and spread where there is one, of some of the bands."""
    mean = made[..., places]
    return mean, made[..., [count + place for place in places]] if spreads else None


def _sha256(ground: Ground) -> str:
    return files.sha256(ground.folder / "dataset.json")


def covered(method: Method, ground: Ground) -> dict[str, Any]:
    """How much of test blocks lies within a method's intervals; plain JSON.

    Args:
        method: What predicts, with its intervals.
        ground: The test blocks.

    Returns:
        Section ``intervals`` of an evaluation.
    """
    held = method.intervals
    assert held is not None, "asked of calibrated methods alone"
    names = [band.name for band in method.form.target.bands]
    calibrated_bands = [band.name for band in held.bands]
    first = len(names) * len(kinds_of(method))
    coverage = Coverage(calibrated_bands)
    for block, tiles in ground.tiles(method, "coverage"):
        for tile in tiles:
            ends = np.split(tile.made[..., first:], 2, axis=-1)
            for place, name in enumerate(calibrated_bands):
                truth = tile.truth[..., names.index(name)]
                # Nothing is predicted where the input has no data, and so nothing promised.
                there = np.isfinite(truth) & np.isfinite(ends[0][..., place])
                low, high = (end[..., place][there] for end in ends)
                inside = (low <= truth[there]) & (truth[there] <= high)
                coverage.add(block, name, inside, float((high - low).sum(dtype=np.float64)))
    found = {name: asdict(one) for name, one in coverage.result()}
    bands = {
        band.name: {"unit": band.unit, "q": band.q, "calibration_blocks": band.blocks}
        | found[band.name]
        for band in held.bands
        if band.name in found  # of test tiles without a pixel of it there is nothing to say
    }
    return {
        "level": held.level, "score": held.score, "draws": held.draws, "called": held.called,
        "calibrated": held.calibrated, "calibration_blocks": held.blocks, "promise": held.promise,
        "calibrated_on": held.dataset, "edge_px": held.edge_px,
        "quantile_error": held.quantile_error, "tiles": len(ground.rows),
        "test_blocks": len(set(ground.blocks.values())), "bands": bands,
        "shift": shift(held, ground),
        # Only where there are such: on the data set trained on there cannot be any.
        **({"left_out_blocks": ground.left_out} if ground.left_out else {}),
    }  # fmt: skip


def shift(held: Intervals, ground: Ground) -> list[str]:
    """In what the tested ground is not of the calibration's kind, where that is known."""
    told = []
    if _sha256(ground) != held.dataset_sha256:
        told.append(f"another data set: {ground.contract.name}, calibrated on {held.dataset}")
    new = [scene for scene in ground.scenes if scene not in held.scenes]
    if held.scenes and new:
        told.append(f"other scenes: {len(new)} of {len(ground.scenes)} were not calibrated on")
    seasons = [season for season in ground.seasons if season not in held.seasons]
    if held.seasons and seasons:
        told.append(f"other seasons: {', '.join(seasons)}, calibrated on {', '.join(held.seasons)}")
    return told


def home_of(method: Method, members: Sequence[Member]) -> Path:
    """The file of a method's quantiles: beside the checkpoint of its first member, in their order.

    Args:
        method: What predicts.
        members: Experiment and run of each.
    """
    runs = {(experiment.name, run.timestamp): run for experiment, run, *_ in members}
    first = members_of(method.provenance)[0][0]
    return place_of(runs[first["experiment"], first["run"]], first.get("step"))


def bounded(
    method: Method, members: Sequence[Member], command: str = "python -m sensor2sensor calibrate"
) -> Method:
    """A method that writes the ends of its intervals, too.

    Args:
        method: What predicts.
        members: As of :func:`home_of`.
        command: What calibrates it.

    Raises:
        InputError: It was not calibrated, or not in this mode, or its weights had seen the ground.
    """
    for experiment, run, *_ in members:
        # Quantiles may have been kept before anybody asked.
        if seen := inherited(experiment, sources_of(run)).seen:
            hint = "train it, and what it began with, with the same key 'calibration'"
            raise InputError(f"its intervals promise nothing: {seen}", where=method.name, hint=hint)
    path = home_of(method, members)
    found = intervals_for(path, method.provenance)
    if found is not None:
        return replace(method, intervals=found)
    # Not the model, which several experiments are of.
    where = ", ".join(dict.fromkeys(experiment.name for experiment, *_ in members))
    if kept := read_intervals(path):
        what = f"was calibrated in another mode: {other_mode(method.provenance, kept)}"
        raise InputError(what, where=where, hint=f"calibrate it so: {command}")
    if any(experiment.config.calibration is None for experiment, *_ in members):
        what = "was trained without the key 'calibration', and looked at all of val"
        raise InputError(what, where=where, hint='set it, as {"share": 0.5}, and train anew')
    raise InputError("was not calibrated", where=where, hint=f"calibrate it: {command}")
