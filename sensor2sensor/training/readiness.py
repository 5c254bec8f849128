"""Whether an experiment's data can be trained on and scored; free of TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sensor2sensor.config.validate import report
from sensor2sensor.core.errors import ConfigErrors, InputError
from sensor2sensor.core.names import nearest
from sensor2sensor.dataset import calibration
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.degenerate import faults, notices
from sensor2sensor.dataset.exclusion import left_out
from sensor2sensor.dataset.recordfile import list_records
from sensor2sensor.dataset.verification import verify_dataset
from sensor2sensor.predictors.conformal import fewest_blocks

FILTERS = ("enforce_suffix", "exclude_suffix", "exclude_tiles")


class DataView(Protocol):
    """The part of ``experiment.Experiment`` that is read here."""

    config: Any
    contract: Any
    dataset_dir: Any
    document: Any
    excluded: Any


def check_data(experiment: DataView) -> tuple[dict[str, int], list[str]]:
    """Verify the data set's files, its bands' spans and what the suffix filters leave.

    Returns:
        Tiles per split that the experiment uses, and lines about what is odd but no fault.

    Raises:
        DatasetError: A file is missing or changed.
        ConfigErrors: The data set or the filters leave nothing to train on, or to score, or a tile
            to be shown is not there.
    """
    verify_dataset(experiment.dataset_dir)
    found = faults(experiment.contract)
    if found:
        raise ConfigErrors(report(experiment.document, {("dataset",): ["; ".join(found)]}))
    names = {split: _names(experiment, split) for split in SPLITS}
    _refuse_unknown_tiles(experiment, names)
    counts = {split: len(found) for split, found in names.items()}
    told = [*left_out(experiment), *_set_aside(experiment), *notices(experiment.contract)]
    return counts, told + _few(experiment, counts["train"])


def _set_aside(experiment: DataView) -> list[str]:
    """What of val calibrates intervals, where any of it does."""
    parts = calibration.parts_of(experiment)
    if parts is None:
        return []
    level = experiment.config.calibration.level
    try:
        rows = calibration.tried_rows(experiment, "val")
    except InputError as error:
        text = f"{error.what}; {error.hint}"
        raise ConfigErrors(report(experiment.document, {(calibration.KEY,): [text]})) from error
    return [calibration.in_words(rows, parts, level, fewest_blocks(level))]


def in_words(counts: Mapping[str, int], sample_train: int | None) -> str:
    """``7 of 19 train, 5 val, 4 test tiles``: those that are used, and how many there are."""
    used = {split: str(count) for split, count in counts.items()}
    if sample_train is not None and sample_train < counts["train"]:
        used["train"] = f"{sample_train} of {counts['train']}"
    return ", ".join(f"{count} {split}" for split, count in used.items()) + " tiles"


def _names(experiment: DataView, split: str) -> list[str]:
    """Tiles of a split behind the filters; evaluation needs test as training needs the others."""
    config = experiment.config
    try:
        names = experiment.excluded.names if split == "test" else calibration.unread(experiment)
        filters = config.enforce_suffix, config.exclude_suffix, names
        return [ref.name for ref in list_records(experiment.dataset_dir, split, *filters)]
    except InputError as error:
        key = next((name for name in FILTERS if getattr(config, name)), "dataset")
        text = f"{error.what}; {error.hint}"
        raise ConfigErrors(report(experiment.document, {(key,): [text]})) from error


def _refuse_unknown_tiles(experiment: DataView, names: Mapping[str, Sequence[str]]) -> None:
    """Refuse ``sample_tiles`` that neither a sheet nor a gallery could show."""
    shown, asked = [*names["val"], *names["test"]], experiment.config.sample_tiles
    left_out = experiment.excluded.names
    parts = calibration.parts_of(experiment)

    def why(name: str) -> str:
        if parts is not None and name in parts.aside - left_out:
            return f"'{name}' is set aside by calibration, which no sheet may show"
        if name in names["train"]:
            return f"'{name}' is of train, which sheets never show"
        if name in left_out:
            return f"'{name}' is left out by exclude_tiles"
        return f"no tile '{name}' in val or test; {_near(name, shown)}"

    found = [why(name) for name in dict.fromkeys(asked) if name not in shown]
    if found:
        raise ConfigErrors(report(experiment.document, {("sample_tiles",): ["; ".join(found)]}))


def _near(name: str, shown: Sequence[str]) -> str:
    # A list of all could be thousands.
    near = nearest(name, shown)
    return f"nearest: '{near}'" if near else f"one that there is: '{shown[0]}'"


def _few(experiment: DataView, train: int) -> list[str]:
    config = experiment.config
    used = min(train, config.sample_train or train)
    if used >= config.batch_size:
        return []
    size = config.batch_size
    return [f"{used} train tiles are fewer than batch_size {size}: every batch repeats some"]
