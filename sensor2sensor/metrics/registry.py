"""The table that metrics are entered in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import tensorflow as tf

from sensor2sensor.config.evaluations import KEY_COLUMNS
from sensor2sensor.config.vocabulary import (
    STANDARD,
    TABLES,
    TRUST_METRICS,
    MetricInfo,
    check_term,
)
from sensor2sensor.core.blame import line_in, sentence, source_of
from sensor2sensor.core.errors import ModelContractError, Sensor2SensorError
from sensor2sensor.dataset.strata import PIXELS
from sensor2sensor.metrics.inputs import MetricInputs

Metric = Callable[[MetricInputs], tf.Tensor]
Places = Callable[[tf.Tensor], tf.Tensor]

REGISTRY: dict[str, Metric] = {}
PLACES: dict[str, Places] = {}
DECLARED: dict[str, MetricInfo] = {}
# Columns of an evaluation's table that are no metrics, and marks of a stratum (``rmse@cloudy``).
TAKEN = frozenset({*KEY_COLUMNS, PIXELS, *TRUST_METRICS})
_MAKERS: dict[str, str] = {}


def register(
    name: str,
    *,
    label: str,
    unit: str,
    better: Literal["higher", "lower"],
    paper: str,
    places: Places | None = None,
    profile: str = STANDARD,
) -> Callable[[Metric], Metric]:
    """Decorator: enter a per-image metric ``MetricInputs -> [B]``.

    Args:
        name: Its column; small letters, digits and ``_``.
        label: Its heading in tables.
        unit: ``1``, ``dB`` …; ``vocabulary.BAND_UNIT`` stands for that of the target bands.
        better: Which way is better.
        paper: The definition it follows.
        places: Of a metric of windows, where they count: valid pixels ``[B, H, W]`` to bool
            ``[B, h, w]``. None: it looks at pixels.
        profile: The profile that has it, one of ``vocabulary.TABLES``.

    Raises:
        ModelContractError: The name cannot be had, ``better`` is no direction, or ``profile`` none
            that metrics can be entered in.
    """
    if better not in ("higher", "lower"):
        raise ModelContractError(f"metric '{name}': better is {better!r}", hint="higher or lower")
    if profile not in TABLES:
        problem = f"metric '{name}': nothing can be entered in profile {profile!r}"
        raise ModelContractError(problem, hint=" or ".join(TABLES))

    def enter(metric: Metric) -> Metric:
        check_term("metric", name, metric.__module__, _MAKERS)
        if name in TAKEN:
            raise ModelContractError(f"'{name}' is a column of its own", where=metric.__module__)
        REGISTRY[name] = metric
        PLACES.pop(name, None)
        if places is not None:
            PLACES[name] = places
        DECLARED[name] = MetricInfo(name, label, unit, better, paper, profile)
        TABLES[profile][name] = DECLARED[name]
        return metric

    return enter


def own_metrics() -> tuple[str, ...]:
    """Names of the metrics that the user's modules have entered."""
    package = __name__.partition(".")[0] + "."
    return tuple(n for n, metric in REGISTRY.items() if not metric.__module__.startswith(package))


def windows_within(names: Sequence[str], mask: Any) -> dict[str, int]:
    """How many windows lie wholly inside a mask, for each metric that is made of windows.

    Args:
        names: Metrics.
        mask: ``[B, H, W]`` bool.
    """
    chosen = tf.convert_to_tensor(mask)
    windowed = [name for name in names if name in PLACES]
    return {name: int(tf.math.count_nonzero(PLACES[name](chosen))) for name in windowed}


def score_one(name: str, metric: Metric, inputs: MetricInputs) -> tf.Tensor:
    """One metric of a batch, as it is traced: ``[B]`` float64.

    Args:
        name: What it is entered as, for messages.
        metric: Its function.
        inputs: The batch.

    Raises:
        ModelContractError: It raises an error, or returns anything but a number per image.
    """
    try:
        value = metric(inputs)
    except Sensor2SensorError:
        raise
    except Exception as error:
        file = source_of(metric)
        line = line_in(file, error)
        place = file if line is None else f"{file}:{line}"
        problem = f"metric '{name}' fails: {sentence(error)}"
        hint = "--debug shows the traceback"
        raise ModelContractError(problem, where=place, hint=hint) from error
    fault = _fault(value)
    if fault is not None:
        # A scalar would be broadcast: every tile would get the batch's mean as its own.
        hint = "return one value per image, shape [B], as tf.reduce_mean(x, axis=[1, 2, 3])"
        raise ModelContractError(
            f"metric '{name}' returns {fault}", where=source_of(metric), hint=hint
        )
    value = tf.cast(value, tf.float64)
    # What Python computes (tf.numpy_function) has a shape only when it runs.
    return tf.reshape(value, tf.shape(inputs.valid)[:1]) if value.shape.rank is None else value


def _fault(value: Any) -> str | None:
    """What is returned in place of ``[B]`` numbers; None where nothing is wrong."""
    if not tf.is_tensor(value):
        return f"{value!r}, which is no tensor"[:100]
    if not (value.dtype.is_floating or value.dtype.is_integer):
        return f"{value.dtype.name}"
    shape = value.shape
    # A batch's size is unknown while tracing: a known one is that of bands or rows.
    if shape.rank is None or (shape.rank == 1 and shape[0] is None):
        return None
    sizes = [str(size or ("?" if axis else "B")) for axis, size in enumerate(shape)]
    return f"shape [{', '.join(sizes)}]" if sizes else "a scalar"
