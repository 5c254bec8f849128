"""The one list of baselines: what each needs of a data set, how it is made, how strong it is.

A baseline stands beside every model of the data sets it is meant for, and can itself be the model
of an experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.evaluations import PUBLISHED
from sensor2sensor.core.errors import ConfigError, DatasetError
from sensor2sensor.core.names import suggestion
from sensor2sensor.predictors.baselines import (
    DoNothing,
    MeanColour,
    Upsampled,
    mean_colour,
    same_bands,
)
from sensor2sensor.predictors.bilinear_fit import fit_lines, nearest_bands, restored
from sensor2sensor.predictors.entries import Baseline, TrainSplit
from sensor2sensor.predictors.protocol import Predictor

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract


def _reason(ask: Callable[[DatasetContract], object], contract: DatasetContract) -> str | None:
    try:
        ask(contract)
    except DatasetError as error:
        return str(error.what)
    return None


def _coarser(contract: DatasetContract) -> str | None:
    """Why an input cannot be interpolated to the target's grid."""
    grid = contract.input_px
    if grid is None:
        return "the input's pixels are a swath, no grid to interpolate on"
    if grid == (contract.tile_px, contract.tile_px):
        return "the input is on the target's grid already"
    return _reason(same_bands, contract)


def _same_grid(contract: DatasetContract) -> str | None:
    """Why an input cannot stand for the target as it is."""
    if contract.input.layout != "dense" or contract.input_px != (contract.tile_px,) * 2:
        return "the input is on a grid of its own"
    return _reason(same_bands, contract)


def _swath(contract: DatasetContract) -> str | None:
    """Why no lines can be fitted between native input pixels and the target under them."""
    if contract.input.layout != "pixels":
        return "the input is an image and no table of native pixels"
    if contract.resolution_m is None:
        return "the target's pixels have no size in metres"
    return _reason(nearest_bands, contract)


def _interpolated(mode: str, kinds: frozenset[str]) -> Baseline:
    def made(contract: DatasetContract, _: object) -> Upsampled:
        native_px = tuple(band.native_px for band in contract.input.bands)
        return Upsampled(mode, same_bands(contract), native_px)

    return Baseline(mode, kinds, _coarser, made, made)


def _nothing(contract: DatasetContract, _: object) -> DoNothing:
    return DoNothing(same_bands(contract))


def _mean_colour(contract: DatasetContract, train: TrainSplit) -> MeanColour:
    # The whole split's mean is in dataset.json: no need to read 50 GB for three numbers.
    if not train.whole:
        return mean_colour(contract, train)
    known = zip(contract.target.bands, contract.statistics["target"], strict=True)
    return MeanColour({band.name: statistics.mean for band, statistics in known})


def _remembered_colour(contract: DatasetContract, described: Mapping[str, Any]) -> MeanColour:
    return MeanColour({band.name: described["means"][band.name] for band in contract.target.bands})


def _published(params: Mapping[str, Any]) -> Baseline:
    # Imported where it is asked for: readers of exported files cost each door a tenth of a second.
    from sensor2sensor.predictors.published import entry

    return entry(params)


def _of_a_file(contract: DatasetContract, described: Mapping[str, Any]) -> Predictor:
    from sensor2sensor.predictors.published import restored

    return restored(contract, described)


def _nameless(*_: object) -> Any:
    raise ConfigError("names no file of a model", where="params.card")


def _listed(*entries: Baseline) -> dict[str, Baseline]:
    return {entry.name: entry for entry in entries}


_PAIRED, _REGULAR = frozenset({"paired"}), frozenset({"degraded", "paired"})

# Usually weakest first: the last one that a data set has is what verdicts are about. Where another
# is the stronger one on the tiles scored, evaluations show the gain over that, too.
REGISTRY = _listed(
    Baseline(PUBLISHED, frozenset(), _nameless, _nameless, _of_a_file, bound=_published),
    Baseline(
        "mean_colour", _PAIRED, lambda contract: None, _mean_colour, _remembered_colour, fitted=True
    ),
    Baseline("do_nothing", _PAIRED, _same_grid, _nothing, _nothing),
    _interpolated("nearest", _REGULAR),
    _interpolated("bicubic", _REGULAR),
    Baseline(
        "bilinear_fit",
        frozenset({"sentinel3"}),
        _swath,
        lambda contract, train: fit_lines(contract, train),
        restored,
        fitted=True,
    ),
)


def find(name: str, params: Mapping[str, Any] | None = None) -> Baseline:
    """The baseline of a name, for the ``params`` of an experiment where it has any.

    Raises:
        ConfigError: There is none; the nearest is named. Or it has no such parameters.
    """
    if name not in REGISTRY:
        raise ConfigError(f"no baseline '{name}'", hint=suggestion(name, REGISTRY))
    entry = REGISTRY[name]
    return entry if entry.bound is None or params is None else entry.bound(params)


def compared(contract: DatasetContract) -> list[Baseline]:
    """The baselines beside every model of a data set, the strongest last."""
    meant = [entry for entry in REGISTRY.values() if contract.kind in entry.kinds]
    if contract.kind != "paired":
        # Step 50 gives these kinds what they need: where it is lacking, making them says so.
        return meant
    return [entry for entry in meant if entry.applies(contract) is None]


def baselines(
    dataset_dir: Path,
    contract: DatasetContract,
    *,
    enforce_suffix: str | None = None,
    exclude_suffix: str | None = None,
    exclude_tiles: frozenset[str] = frozenset(),
    without: str | None = None,
) -> dict[str, Predictor]:
    """The baselines of a data set by name, the strongest last.

    Args:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``; its train split is read where one is
            fitted.
        contract: The data set's contract.
        enforce_suffix: Fit on train tiles whose name ends so, as the model is trained.
        exclude_suffix: Fit on train tiles whose name does not end so.
        exclude_tiles: Names of train tiles left out.
        without: One that is the model itself: the gain of a thing over itself is 0, always.

    Raises:
        InputError: No train tile is left to fit on.
        DatasetError: The data set lacks what one of its kind has.
    """
    train = TrainSplit(dataset_dir, contract, enforce_suffix, exclude_suffix, exclude_tiles)
    chosen = [entry for entry in compared(contract) if entry.name != without]
    return {entry.name: entry.make(contract, train) for entry in chosen}
