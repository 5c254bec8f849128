"""Between physical values and what a model sees, by ranges fixed in ``dataset.json``.

No image is stretched by itself: each band's range is that of the train split. Inputs are never
clipped, since baselines see them whole, and targets only where a model cannot reach them; but
``dsen2cr`` clips both to limits that are fixed beforehand, as published.
TensorFlow is touched only when a tensor is given, so configuration checks may import this module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sensor2sensor.config.scaling import Scaling
from sensor2sensor.config.vocabulary import DSEN2CR, NORMALISATIONS
from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.bands import BandStatistics
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.ranges import Bounds
from sensor2sensor.dataset.statistics import Values
from sensor2sensor.pipeline.fixed_scaling import FixedScaling, fixed_scaling

Side = Literal["input", "target"]
INTERVALS = {"symmetric": (-1.0, 1.0), "minmax": (0.0, 1.0)}
ROUNDING = 1e-6  # normalised units; float32 may carry a value so far beyond the bound it lies on


def refuse_beyond(kind: str, bounds: Bounds | None, span: Bounds) -> None:
    """Refuse a normalisation whose value range leaves the bounds of a model's output.

    Targets beyond the value range that leave them are clipped.

    Args:
        kind: The normalisation.
        bounds: Of the output; None: unbounded.
        span: Ends of the targets' value range in normalised units, over all bands.

    Raises:
        ConfigError: The value range does not lie within.
    """
    if bounds is None:
        return
    (low, high), (first, last) = bounds, span
    # Mean and deviation say nothing of the largest value: 'standard' fits no bounds by design.
    if kind == "standard" or first < low or last > high:
        fitting = "'symmetric'" if low < 0 else "'minmax' or, without values below 0, 'reflectance'"
        raise ConfigError(
            f"'{kind}' leaves the output's bounds [{low:g}, {high:g}]",
            where="normalisation",
            hint=f"use {fitting}, or a model with an unbounded output (aris-a, edsr)",
        )


@dataclass(frozen=True)
class _Affine:
    """``normalised = (value - origin) / span``, per band, then clipped to the bounds if any."""

    origin: npt.NDArray[np.float64]
    span: npt.NDArray[np.float64]
    bounds: tuple[Any, Any] | None  # two numbers, or one of each band

    def exact(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """In double precision and not clipped."""
        return np.asarray((values - self.origin) / self.span)

    def forward(self, values: Any) -> Any:
        constants = [np.float32(one) for one in (self.origin, self.span, *(self.bounds or ()))]
        shape = None
        if not isinstance(values, np.ndarray):
            values, constants, shape = _joined(values, constants)
        origin, span, *bounds = constants
        # Not folded into one factor and one offset: that rounds otherwise, and weights have learned
        # this.
        scaled = (values - origin) / span
        scaled = _clip(scaled, *bounds) if bounds else scaled
        return scaled if shape is None else _reshape(scaled, shape)

    def back(self, values: Any) -> Any:
        return values * self.span.astype(np.float32) + self.origin.astype(np.float32)


class Normalisation:
    """Maps inputs and targets ``[..., C]`` to model values and back; tensors or numpy arrays.

    Kinds:
        symmetric: a band's value range (0.1-99.9 % of train) to [-1, 1].
        reflectance: physical values as they are; bands that are no reflectance are divided by the
            upper end of their range.
        standard: mean 0, standard deviation 1 per band.
        minmax: the band's train minimum and maximum to [0, 1].
        dsen2cr: reflectance x 10000 / 2000, radar in dB from its fixed range to 0..2; clipped
            (:mod:`sensor2sensor.pipeline.fixed_scaling`).
        l2: a whole tile divided by its Euclidean norm, as ARISGAN published. It forgets brightness
            and cannot be inverted.

    For a model with a bounded output the targets are clipped to these bounds, and ``symmetric`` and
    ``minmax`` lay [-1, 1] and [0, 1] onto the output range of each target band, which has room
    beyond its value range. Inputs are mapped the same for every model.

    Args:
        kind: One of the kinds.
        contract: The data set's contract.
        bounds: Of the model's output, in normalised units; None: unbounded.
        legacy: As in runs from before models stated bounds: whatever the model, ``symmetric`` and
            ``minmax`` clip inputs and targets to [-1, 1] and [0, 1].
        scaling: The numbers of ``dsen2cr``; None: as published.

    Raises:
        ConfigError: Unknown kind, or one that has no rule for a band's unit.
        DatasetError: The output ranges are wanted and not there.
    """

    def __init__(
        self,
        kind: str,
        contract: DatasetContract,
        bounds: Bounds | None = None,
        *,
        legacy: bool = False,
        scaling: Scaling | None = None,
    ) -> None:
        units = {
            side: [band.unit for band in getattr(contract, side).bands]
            for side in ("input", "target")
        }
        statistics = {k: tuple(v) for k, v in contract.statistics.items()}
        fixed = fixed_scaling(contract, scaling) if kind == DSEN2CR else None
        self._setup(kind, statistics, units, bounds, legacy=legacy, fixed=fixed)

    def _setup(
        self,
        kind: str,
        statistics: dict[str, tuple[BandStatistics, ...]],
        units: dict[str, list[str]],
        bounds: Bounds | None,
        *,
        legacy: bool,
        fixed: FixedScaling | None,
    ) -> None:
        if kind not in NORMALISATIONS:
            hint = suggestion(kind, NORMALISATIONS)
            raise ConfigError(f"unknown normalisation '{kind}'", hint=hint)
        self.kind, self.legacy = kind, legacy
        self._statistics, self._units, self._fixed = statistics, units, fixed
        if kind == "l2":
            bounds = None  # a norm of 1 bounds every value
        elif legacy:
            bounds = INTERVALS.get(kind)
        self.bounds = bounds
        if fixed is not None:
            self._maps = {side: _fixed_map(fixed, side, units[side], bounds) for side in units}
        elif kind != "l2":
            spread = bounds is not None and not legacy
            lines = {
                "input": _line(kind, statistics["input"], units["input"], spread=False),
                "target": _line(kind, statistics["target"], units["target"], spread=spread),
            }
            limits = {"input": bounds if legacy else None, "target": bounds}
            self._maps = {side: _Affine(*line, limits[side]) for side, line in lines.items()}

    @property
    def invertible(self) -> bool:
        """Whether :meth:`restore` exists (values that were clipped stay clipped)."""
        return self.kind != "l2"

    @property
    def elementwise(self) -> bool:
        """Whether every value is mapped by itself, so that the map commutes with a gather."""
        return self.kind != "l2"

    @property
    def value_ranges(self) -> list[Bounds]:
        """Ends of each target band's value range (0.1-99.9 % of train) in normalised units.

        ``l2`` has no range of its own; (0, 1) is what the published code assumed.
        """
        count = len(self._statistics["target"])
        if self.kind == "l2":
            return [(0.0, 1.0)] * count
        if self.kind in INTERVALS and (
            self.legacy or (self.kind == "symmetric" and not self.bounds)
        ):
            return [INTERVALS[self.kind]] * count
        ends = np.array([(s.low, s.high) for s in self._statistics["target"]])
        low, high = self._maps["target"].exact(ends.T)
        if self.legacy:  # one range for all bands
            low, high = np.full(count, low.min()), np.full(count, high.max())
        # A constant band has no range; differences in it count as they are.
        high = np.where(high > low, high, low + 1)
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def clipped(self, values: Values) -> npt.NDArray[np.bool_]:
        """Which target pixels ``[..., C]`` the bounds cut off, in any band: ``[...]``."""
        if self.bounds is None:
            return np.zeros(values.shape[:-1], dtype=np.bool_)
        scaled, (low, high) = self._maps["target"].exact(values), self.bounds
        outside = (scaled < low - ROUNDING) | (scaled > high + ROUNDING)
        return np.asarray(outside.any(axis=-1))

    def input(self, values: Any) -> Any:
        """Normalise inputs ``[..., Ci]``."""
        return self._forward("input", values)

    def target(self, values: Any) -> Any:
        """Normalise targets ``[..., Ct]``."""
        return self._forward("target", values)

    def reached(self, side: Side, ranges: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Ends of ranges ``[C, 2]`` of physical values, none of which is clipped."""
        return ranges if self._fixed is None else np.array(self._fixed.limits[side], ranges.dtype)

    def restore(self, values: Any) -> Any:
        """Physical values of normalised targets ``[..., Ct]``.

        Raises:
            ConfigError: The normalisation cannot be inverted.
        """
        if not self.invertible:
            raise ConfigError(
                f"normalisation '{self.kind}' cannot be inverted",
                hint="use 'symmetric' to get physical values back",
            )
        return self._maps["target"].back(values)

    def _forward(self, side: Side, values: Any) -> Any:
        return _unit_norm(values) if self.kind == "l2" else self._maps[side].forward(values)

    def state(self) -> dict[str, Any]:
        """Everything needed to build it again without the data set; plain JSON."""
        statistics = {
            side: [band.model_dump(mode="json") for band in bands]
            for side, bands in self._statistics.items()
        }
        # JSON knows no infinity, the upper bound of a ReLU.
        bounds = self.bounds and [end if math.isfinite(end) else None for end in self.bounds]
        fixed = self._fixed
        numbers = fixed and {"scaling": fixed.scaling.model_dump(), "limits": fixed.limits}
        return {
            "kind": self.kind,
            "bounds": bounds,
            "legacy": self.legacy,
            "statistics": statistics,
            "units": self._units,
            **(numbers or {}),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Normalisation:
        """The normalisation that :meth:`state` describes."""
        made = cls.__new__(cls)
        statistics = {
            side: tuple(BandStatistics.model_validate(band) for band in bands)
            for side, bands in state["statistics"].items()
        }
        bounds = state["bounds"]
        if bounds is not None:
            low, high = bounds
            bounds = -math.inf if low is None else low, math.inf if high is None else high
        units, kind = dict(state["units"]), state["kind"]
        fixed = None
        if kind == DSEN2CR:
            limits = {side: tuple(map(tuple, ends)) for side, ends in state["limits"].items()}
            fixed = FixedScaling(Scaling.model_validate(state["scaling"]), limits)
        made._setup(kind, statistics, units, bounds, legacy=state["legacy"], fixed=fixed)
        return made


def _fixed_map(fixed: FixedScaling, side: str, units: list[str], bounds: Bounds | None) -> _Affine:
    """The map of one side, clipped to its limits and, a target, to what the model can reach."""
    origin, span, low, high = fixed.line(side, units)
    least, most = bounds if bounds is not None and side == "target" else (-math.inf, math.inf)
    return _Affine(origin, span, (np.maximum(low, least), np.minimum(high, most)))


ENDS = {"symmetric": ("low", "high"), "minmax": ("minimum", "maximum")}
OUTPUT_ENDS = ("output_low", "output_high")


def _line(
    kind: str, statistics: tuple[BandStatistics, ...], units: list[str], *, spread: bool
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Origin and span of each band; with ``spread`` the output ranges fill a kind's interval."""

    def column(name: str) -> npt.NDArray[np.float64]:
        found = [getattr(band, name) for band in statistics]
        if None in found:
            raise DatasetError(
                "has no output range", hint="rebuild it with its step (50 to 55) and --force"
            )
        return np.array(found, dtype=np.float64)

    zero, one = np.zeros(len(statistics)), np.ones(len(statistics))
    if kind in ENDS:
        low, high = (column(name) for name in (OUTPUT_ENDS if spread else ENDS[kind]))
        centred = kind == "symmetric"
        origin, span = ((low + high) / 2, (high - low) / 2) if centred else (low, high - low)
    elif kind == "standard":
        origin, span = column("mean"), column("std")
    else:
        # Reflectance lies around 0 to 1 by itself; radiances and digital numbers reach hundreds.
        origin = zero
        span = np.where([unit == "reflectance" for unit in units], one, column("high"))
    # Decibels may end at or below 0: dividing by that would turn them around, so they stay.
    # A constant band has no span; it maps to the middle instead of to infinity.
    return origin, np.where(span > 0, span, one)


def _joined(values: Any, constants: list[Any]) -> tuple[Any, list[Any], Any]:
    """Columns and bands of a tensor as one axis, with constants to match, and the shape it had.

    Broadcasting over a last axis of three is many times slower than over one of some hundreds.
    """
    import tensorflow as tf

    if values.shape.rank is None or values.shape.rank < 3 or values.shape[-2] is None:
        return values, constants, None
    shape, columns = tf.shape(values), values.shape[-2]
    flat = tf.reshape(values, tf.concat([shape[:-2], [columns * values.shape[-1]]], axis=0))
    return flat, [np.tile(one, columns) if one.ndim else one for one in constants], values


def _reshape(scaled: Any, like: Any) -> Any:
    import tensorflow as tf

    return tf.ensure_shape(tf.reshape(scaled, tf.shape(like)), like.shape)


def _clip(values: Any, low: Any, high: Any) -> Any:
    if isinstance(values, np.ndarray):
        return np.clip(values, low, high)
    import tensorflow as tf

    return tf.clip_by_value(values, low, high)


def _unit_norm(values: Any) -> Any:
    """Divide each tile ``[..., H, W, C]`` by its Euclidean norm (TensorFlow's epsilon 1e-12)."""
    if isinstance(values, np.ndarray):
        square = np.square(values.astype(np.float64)).sum(axis=(-3, -2, -1), keepdims=True)
        return (values / np.sqrt(np.maximum(square, 1e-12))).astype(np.float32)
    import tensorflow as tf

    return tf.math.l2_normalize(values, axis=[-3, -2, -1])
