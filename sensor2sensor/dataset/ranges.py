"""What a model's output can hold, and the values that this stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import target_values
from sensor2sensor.dataset.statistics import Values, band_statistics

Bounds = tuple[float, float]


def output_bounds(gan_class: Any, params: Mapping[str, Any]) -> Bounds | None:
    """The bounds of a generator's output in normalised units; None for an unbounded one.

    A model says ``OUTPUT_BOUNDS = (-1, 1)`` in its class GAN; one that says nothing is unbounded.
    So is every model with ``params.base`` "input": its last layer is linear.

    Args:
        gan_class: The model's class GAN.
        params: ``params`` of the experiment.

    Raises:
        ModelContractError: OUTPUT_BOUNDS is not a lower and an upper number.
    """
    stated = getattr(gan_class, "OUTPUT_BOUNDS", None)
    if stated is None or params.get("base") == "input":
        return None
    try:
        low, high = (float(end) for end in stated)
    except (TypeError, ValueError):
        low = high = 0.0
    # False for NaN too.
    if not low < high:
        raise ModelContractError(
            f"OUTPUT_BOUNDS is {stated!r}, not a lower and an upper number",
            where=gan_class.__module__,
            hint="(-1, 1) for tanh, (0, 1) for a sigmoid; nothing where the output is linear",
        )
    return low, high


def with_output_ranges(dataset_dir: Path, contract: DatasetContract) -> DatasetContract:
    """The contract with an output range for every target band.

    Data sets from before have none in ``dataset.json``; it is taken from their train records, which
    are read twice for that.
    """
    known = contract.statistics["target"]
    if all(band.output_high is not None for band in known):
        return contract
    refs = list_records(dataset_dir, "train")

    def stream() -> Iterable[Values]:
        return (target_values(read_record(ref), contract) for ref in refs)

    found = band_statistics(stream, len(known), outputs=True)
    target = tuple(
        band.model_copy(update={"output_low": new.output_low, "output_high": new.output_high})
        for band, new in zip(known, found, strict=True)
    )
    return contract.model_copy(update={"statistics": {**contract.statistics, "target": target}})
