"""Between physical values and what a model sees, by ranges fixed in ``dataset.json``.

No image is stretched by itself: each band's range is that of the train split. TensorFlow is touched
only when a tensor is given, so configuration checks may import this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sensor2sensor.config.vocabulary import NORMALISATIONS
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.contract import BandStatistics, DatasetContract

Side = Literal["input", "target"]
BOUNDS = {"symmetric": (-1.0, 1.0), "minmax": (0.0, 1.0)}


@dataclass(frozen=True)
class _Affine:
    """``normalised = (value - origin) / span``, per band, then clipped to the bounds."""

    origin: np.ndarray[Any, np.dtype[np.float32]]
    span: np.ndarray[Any, np.dtype[np.float32]]
    bounds: tuple[float, float] | None

    def forward(self, values: Any) -> Any:
        origin, span, shape = self.origin, self.span, None
        if not isinstance(values, np.ndarray):
            values, origin, span, shape = _joined(values, origin, span)
        scaled = (values - origin) / span
        scaled = scaled if self.bounds is None else _clip(scaled, *self.bounds)
        return scaled if shape is None else _reshape(scaled, shape)

    def back(self, values: Any) -> Any:
        return values * self.span + self.origin


class Normalisation:
    """Maps inputs and targets ``[..., C]`` to model values and back; tensors or numpy arrays.

    Kinds:
        symmetric: a band's value range (0.1-99.9 % of train) to [-1, 1], clipped.
        reflectance: physical values as they are; bands that are no reflectance are divided by the
            upper end of their range.
        standard: mean 0, standard deviation 1 per band.
        minmax: the band's train minimum and maximum to [0, 1], clipped.
        l2: a whole tile divided by its Euclidean norm, as ARISGAN published. It forgets brightness
            and cannot be inverted.

    Args:
        kind: One of the kinds.
        contract: The data set's contract.

    Raises:
        ConfigError: Unknown kind.
    """

    def __init__(self, kind: str, contract: DatasetContract) -> None:
        units = {
            side: [band.unit for band in getattr(contract, side).bands]
            for side in ("input", "target")
        }
        self._setup(kind, {k: tuple(v) for k, v in contract.statistics.items()}, units)

    def _setup(
        self,
        kind: str,
        statistics: dict[str, tuple[BandStatistics, ...]],
        units: dict[str, list[str]],
    ) -> None:
        if kind not in NORMALISATIONS:
            hint = suggestion(kind, NORMALISATIONS)
            raise ConfigError(f"unknown normalisation '{kind}'", hint=hint)
        self.kind = kind
        self._statistics, self._units = statistics, units
        if kind != "l2":
            self._maps = {
                side: _affine(kind, statistics[side], units[side]) for side in ("input", "target")
            }

    @property
    def invertible(self) -> bool:
        """Whether :meth:`restore` exists (values that were clipped stay clipped)."""
        return self.kind != "l2"

    @property
    def elementwise(self) -> bool:
        """Whether every value is mapped by itself, so that the map commutes with a gather."""
        return self.kind != "l2"

    @property
    def target_bounds(self) -> tuple[float, float] | None:
        """Where normalised targets lie for certain, None if unbounded."""
        return (-1.0, 1.0) if self.kind == "l2" else BOUNDS.get(self.kind)

    @property
    def output_range(self) -> tuple[float, float]:
        """The ends of the targets' value range in normalised units, over all bands."""
        if self.kind in BOUNDS:
            return BOUNDS[self.kind]
        if self.kind == "l2":
            return (0.0, 1.0)
        ends = np.array([(s.low, s.high) for s in self._statistics["target"]], dtype=np.float32)
        scaled = self._maps["target"].forward(ends.T)
        return float(scaled.min()), float(scaled.max())

    def input(self, values: Any) -> Any:
        """Normalise inputs ``[..., Ci]``."""
        return self._forward("input", values)

    def target(self, values: Any) -> Any:
        """Normalise targets ``[..., Ct]``."""
        return self._forward("target", values)

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
        return {"kind": self.kind, "statistics": statistics, "units": self._units}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Normalisation:
        """The normalisation that :meth:`state` describes."""
        made = cls.__new__(cls)
        statistics = {
            side: tuple(BandStatistics.model_validate(band) for band in bands)
            for side, bands in state["statistics"].items()
        }
        made._setup(state["kind"], statistics, dict(state["units"]))
        return made


def _affine(kind: str, statistics: tuple[BandStatistics, ...], units: list[str]) -> _Affine:
    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([getattr(band, name) for band in statistics], dtype=np.float64)

    zero, one = np.zeros(len(statistics)), np.ones(len(statistics))
    if kind == "symmetric":
        low, high = column("low"), column("high")
        origin, span = (low + high) / 2, (high - low) / 2
    elif kind == "minmax":
        origin, span = column("minimum"), column("maximum") - column("minimum")
    elif kind == "standard":
        origin, span = column("mean"), column("std")
    else:
        origin = zero
        span = np.where([unit == "reflectance" for unit in units], one, column("high"))
    # A constant band has no span; it maps to the middle instead of to infinity.
    span = np.where(span > 0, span, one)
    return _Affine(origin.astype(np.float32), span.astype(np.float32), BOUNDS.get(kind))


def _joined(values: Any, origin: Any, span: Any) -> tuple[Any, Any, Any, Any]:
    """Columns and bands of a tensor as one axis, with constants to match, and the shape it had.

    Broadcasting over a last axis of three is many times slower than over one of some hundreds.
    """
    import tensorflow as tf

    if values.shape.rank is None or values.shape.rank < 3 or values.shape[-2] is None:
        return values, origin, span, None
    shape, columns = tf.shape(values), values.shape[-2]
    flat = tf.reshape(values, tf.concat([shape[:-2], [columns * len(origin)]], axis=0))
    return flat, np.tile(origin, columns), np.tile(span, columns), values


def _reshape(scaled: Any, like: Any) -> Any:
    import tensorflow as tf

    return tf.ensure_shape(tf.reshape(scaled, tf.shape(like)), like.shape)


def _clip(values: Any, low: float, high: float) -> Any:
    if isinstance(values, np.ndarray):
        return np.clip(values, np.float32(low), np.float32(high))
    import tensorflow as tf

    return tf.clip_by_value(values, low, high)


def _unit_norm(values: Any) -> Any:
    """Divide each tile ``[..., H, W, C]`` by its Euclidean norm (TensorFlow's epsilon 1e-12)."""
    if isinstance(values, np.ndarray):
        square = np.square(values.astype(np.float64)).sum(axis=(-3, -2, -1), keepdims=True)
        return (values / np.sqrt(np.maximum(square, 1e-12))).astype(np.float32)
    import tensorflow as tf

    return tf.math.l2_normalize(values, axis=[-3, -2, -1])
