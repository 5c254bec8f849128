"""How much of a data set's targets lies beyond what a model's output can hold."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.recordfile import list_records, read_record
from sensor2sensor.dataset.records import target_values
from sensor2sensor.pipeline.normalisation import Normalisation


def clipped_share(
    dataset_dir: Path,
    contract: DatasetContract,
    normalisation: Normalisation,
    split: str,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: Collection[str] = (),
) -> float:
    """Share of a split's target pixels that are clipped in one band or more, 0 to 1.

    Args:
        dataset_dir: The data set's folder.
        contract: Its contract.
        normalisation: The run's.
        split: ``train``, ``val`` or ``test``.
        enforce_suffix: Only records whose name ends so, as in training.
        exclude_suffix: Only records whose name does not end so.
        exclude_tiles: Names of records left out.
    """
    refs = list_records(dataset_dir, split, enforce_suffix, exclude_suffix, exclude_tiles)
    # From the records and not from batches: a target that is normalised is clipped already.
    shares = (normalisation.clipped(target_values(read_record(ref), contract)) for ref in refs)
    return sum(float(pixels.mean()) for pixels in shares) / len(refs)  # tiles are of one size


def in_words(shares: dict[str, float], *, legacy: bool = False) -> str:
    """The shares by split as a line for the user; ``legacy`` maps clip for every model."""
    listed = ", ".join(f"{share:.3%} of {split}" for split, share in shares.items())
    cut = (
        "that this run, from before, clips" if legacy else "beyond the bounds of the model's output"
    )
    return f"target pixels {cut}: {listed}"
