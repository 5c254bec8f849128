"""Calibrated intervals of a model: their quantiles, where they are kept, and what they promise.

The quantiles of one model in one mode (draws of dropout, moments of batch normalisation) lie beside
its checkpoint, ``ckpt-<step>.intervals.json``, and in the sidecar of its exported file. Another
checkpoint, another mode or another set of members has other quantiles: none are taken for those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.bands import BandSpec, Frozen
from sensor2sensor.predictors.conformal import RELATIVE_ERROR, Pooled, fewest_blocks
from sensor2sensor.predictors.protocol import Images

SUFFIX = ".intervals.json"
ABSOLUTE, SPREAD = "absolute", "spread"
# The batch size is told where what is predicted depends on it.
_MEMBER = ("experiment", "run", "step", "checkpoint_sha256", "applied", "batch_size")
# A spread of 0 would make an interval a point: below this share of a band's range it is that.
FLOOR_SHARE = 1e-3
_PATIENCE_S = 60.0


class BandQuantile(Frozen):
    """The quantile of one band.

    Attributes:
        name: Of the target band.
        unit: Of its values.
        q: Half the width of an interval, in that unit; of score ``spread`` in spreads.
        blocks: K: calibration blocks with a truth.
        pixels: Calibration pixels with a truth.
        floor: The least spread that is reckoned with, in the band's unit; 0 of score ``absolute``.
        value_range: What its source fixes (0 and 255 of photos): no interval reaches beyond.
    """

    name: str
    unit: str
    q: Annotated[float, Field(ge=0)]
    blocks: Annotated[int, Field(ge=1)]
    pixels: Annotated[int, Field(ge=1)]
    floor: Annotated[float, Field(ge=0)] = 0.0
    value_range: tuple[float, float] | None = None


class Intervals(Frozen):
    """Quantiles of a model's scores over calibration blocks, and what they are of.

    Attributes:
        format_version: Of this form.
        level: Share of the pixels of new blocks that intervals hold, on average over blocks.
        score: ``absolute``: ``|y - prediction|``; ``spread``: that over the standard deviation of
            draws or members, around their mean.
        calibrated: False where K is below ``fewest_blocks(level)``: then ``q`` is the plain
            quantile of equally weighted blocks, an estimate that promises nothing.
        blocks: K: the fewest blocks of any band.
        bands: One for each target band that was measured.
        edge_px: Pixels at each edge of a tile that were left out, as they lack context that a scene
            has.
        quantile_error: By how much a quantile may be too large, relative to itself; never too
            small.
        dataset: Name of the data set it was calibrated on.
        dataset_sha256: Of its ``dataset.json``.
        scenes: Overpasses its blocks were seen by, or what else stands for scenes there.
        seasons: Meteorological seasons in which they were seen, where dates and places are known.
        members: Of each model that predicts: experiment, run, step, digest, how it is applied; with
            ``inference.norm`` batch how many windows at once.
        draws: Draws of dropout of each.
        doubt: Why nobody knows whether the weights had seen the blocks; empty where they had not.
    """

    format_version: Literal[1] = 1
    level: Annotated[float, Field(gt=0, lt=1)]
    score: Literal["absolute", "spread"]
    calibrated: bool
    blocks: Annotated[int, Field(ge=1)]
    bands: Annotated[tuple[BandQuantile, ...], Field(min_length=1)]
    edge_px: Annotated[int, Field(ge=0)] = 0
    quantile_error: Annotated[float, Field(ge=0)] = RELATIVE_ERROR
    dataset: str = ""
    dataset_sha256: str = ""
    scenes: tuple[str, ...] = ()
    seasons: tuple[str, ...] = ()
    members: tuple[dict[str, Any], ...] = ()
    draws: Annotated[int, Field(ge=1)] = 1
    doubt: Annotated[str, Field(exclude_if=lambda of: not of)] = ""

    @property
    def called(self) -> str:
        """``conformal, 23 blocks`` or ``uncalibrated, 5 blocks``."""
        return called(self.blocks, calibrated=self.calibrated)

    @property
    def promise(self) -> str:
        """What may be concluded, as a sentence; to be shown wherever intervals are."""
        if self.doubt:
            return f"an estimate, no promise of {percent(self.level)}: {self.doubt}"
        return promise(self.level, calibrated=self.calibrated)

    def doubted(self, why: str) -> Intervals:
        """The same, called uncalibrated where the weights may have seen the calibration blocks."""
        return self.model_copy(update={"calibrated": False, "doubt": why}) if why else self

    def promised(self, shift: Sequence[str] = ()) -> str:
        """What may be concluded of a prediction, as a sentence.

        Args:
            shift: In what it is of another kind than what was calibrated.
        """
        if not shift:
            return self.promise
        return f"a shifted domain, where nothing is promised: {'; '.join(shift)}"

    def told(self, shift: Sequence[str] = ()) -> dict[str, Any]:
        """What a file of predictions says of its intervals, plain JSON.

        Args:
            shift: As of :meth:`promised`.
        """
        return {
            "level": self.level, "blocks": self.blocks, "score": self.score, "called": self.called,
            "promise": self.promised(shift), "q": {band.name: band.q for band in self.bands},
            "quantile_error": self.quantile_error, "calibrated_on": self.dataset,
            "dataset_sha256": self.dataset_sha256, "edge_px": self.edge_px,
            **({"shift": list(shift)} if shift else {}),
        }  # fmt: skip

    def bounds(
        self, mean: Images, spread: Images | None, names: Sequence[str]
    ) -> tuple[Images, Images]:
        """Lower and upper ends ``[..., B]`` of the bands that have a quantile, in their order.

        Args:
            mean: The prediction ``[..., C]``, or the mean over several.
            spread: Their standard deviation; None of one prediction.
            names: Of the C bands.

        Raises:
            ValueError: A spread is lacking, or is there where none was calibrated with.
        """
        if (spread is None) != (self.score == ABSOLUTE):
            raise ValueError(f"intervals of score '{self.score}' fit no such prediction")
        places = [names.index(band.name) for band in self.bands]
        q, floor = np.array([(band.q, band.floor) for band in self.bands], np.float32).T
        middle = mean[..., places]
        half = q if spread is None else q * np.maximum(spread[..., places], floor)
        ends = [band.value_range or (-math.inf, math.inf) for band in self.bands]
        low, high = np.array(ends, np.float32).T
        # The truth cannot lie beyond what its source fixes: cut there, an interval holds as much.
        lower, upper = np.clip(middle - half, low, high), np.clip(middle + half, low, high)
        return np.asarray(lower, np.float32), np.asarray(upper, np.float32)


def percent(level: float) -> str:
    """``90 %`` of 0.9."""
    return f"{100 * level:.6g} %"


def called(blocks: int, *, calibrated: bool) -> str:
    """The name under which intervals of K blocks are shown."""
    return f"{'conformal' if calibrated else 'uncalibrated'}, {blocks} blocks"


def promise(level: float, *, calibrated: bool) -> str:
    """What intervals promise, as a sentence."""
    if not calibrated:
        few = f"fewer than {fewest_blocks(level)} calibration blocks"
        return f"an estimate: {few} promise no coverage of {percent(level)}"
    return (
        f"marginal over blocks: a pixel of a new block, exchangeable with those of the calibration,"
        f" lies within with a probability of at least {percent(level)}; nothing is promised for any"
        " single block, scene or season"
    )


def scores_of(
    truth: Images, mean: Images, spread: Images | None, floors: Sequence[float]
) -> Images:
    """The scores ``[..., C]``: how far a truth lies off, in its unit or in spreads; NaN: no truth.

    Args:
        truth: ``[..., C]``.
        mean: The prediction, or the mean over several.
        spread: Their standard deviation; None of one prediction.
        floors: The least spread that is reckoned with, of each band.
    """
    off = np.abs(truth - mean)
    if spread is None:
        return np.asarray(off, np.float32)
    return np.asarray(off / np.maximum(spread, np.asarray(floors, np.float32)), np.float32)


def floors_of(ranges: Sequence[tuple[float, float]]) -> list[float]:
    """The least spread of each band that is reckoned with, from the bands' value ranges."""
    return [FLOOR_SHARE * (high - low) if high > low else FLOOR_SHARE for low, high in ranges]


def quantiles(
    pooled: Pooled, level: float, specs: Sequence[BandSpec], floors: Sequence[float]
) -> tuple[tuple[BandQuantile, ...], bool]:
    """The quantiles of pooled scores, and whether they are calibrated.

    Args:
        pooled: The scores.
        level: Of the intervals.
        specs: The bands that were pooled.
        floors: Of their spreads; 0 where there is none.
    """
    fewest = min(pooled.blocks.values())
    calibrated = fewest >= fewest_blocks(level)
    found = pooled.quantile if calibrated else pooled.plain_quantile
    made = [
        BandQuantile(
            name=spec.name, unit=spec.unit, q=found(spec.name, level),
            blocks=pooled.blocks[spec.name], pixels=pooled.pixels[spec.name], floor=floor,
            value_range=spec.value_range,
        )
        for spec, floor in zip(specs, floors, strict=True)
    ]  # fmt: skip
    return tuple(made), calibrated


def members_of(provenance: Mapping[str, Any]) -> tuple[tuple[dict[str, Any], ...], int]:
    """What of a method's provenance its quantiles depend on: its members, and their draws."""
    told = provenance.get("members", [provenance])
    members = [{key: one[key] for key in _MEMBER if key in one} for one in told]
    order = sorted(members, key=lambda one: [str(one.get(key)) for key in _MEMBER])
    return tuple(order), int(told[0].get("draws", 1))


def read_intervals(path: Path) -> tuple[Intervals, ...]:
    """The quantiles that a file holds; none where there is no file.

    Raises:
        InputError: It is another's, or damaged.
    """
    if not path.is_file():
        return ()
    try:
        return tuple(_Kept.model_validate_json(path.read_bytes()).modes)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "file"
        what = f"holds no intervals ({key}: {first['msg']})"
        raise InputError(what, where=path, hint="remove it and calibrate again") from None


def keep_intervals(path: Path, made: Intervals) -> None:
    """Keep quantiles in a file, in place of those of the same members, mode and draws.

    Raises:
        InputError: The file is another's or damaged, or another process holds it for long.
    """
    # Another mode of this checkpoint may be calibrated at the same time: neither loses the other's,
    # nor is the work of minutes lost for a file that is written in a moment.
    with files.lock(path.with_name(f".{path.name}.lock"), _PATIENCE_S):
        others = [one for one in read_intervals(path) if _of(one) != _of(made)]
        files.write_json(path, _Kept(modes=(*others, made)).model_dump(mode="json"))


def intervals_for(path: Path, provenance: Mapping[str, Any]) -> Intervals | None:
    """The quantiles of a file for a method as it is applied; None where it holds none of it."""
    wanted = members_of(provenance)
    return next((one for one in read_intervals(path) if _of(one) == wanted), None)


def place_of(run: Run, step: int | None) -> Path:
    """Where the quantiles of a run's checkpoint are kept; of a baseline, those of the run.

    Args:
        run: The run.
        step: Of the checkpoint; None of a baseline.
    """
    if step is None:
        return run.logs_dir / SUFFIX.lstrip(".")
    return run.ckpt_dir / f"ckpt-{step}{SUFFIX}"


class _Kept(Frozen):
    """The content of ``ckpt-<step>.intervals.json``: one entry for each mode."""

    format_version: Literal[1] = 1
    modes: tuple[Intervals, ...] = ()


def _of(one: Intervals) -> tuple[tuple[dict[str, Any], ...], int]:
    return one.members, one.draws
