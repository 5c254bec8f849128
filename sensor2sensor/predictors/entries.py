"""What an entry of the list of baselines says, and the tiles that a baseline is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.dataset.recordfile import list_records

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.dataset.records import TileRecord
    from sensor2sensor.predictors.protocol import Predictor


@dataclass(frozen=True)
class TrainSplit:
    """The train tiles that a baseline is fitted on: those that a model is trained on.

    Attributes:
        dataset_dir: ``<data_root>/<dataset>/<tilesize>``.
        contract: The data set's contract.
        enforce_suffix: Only tiles whose name ends so.
        exclude_suffix: Only tiles whose name does not end so.
        exclude_tiles: Names of tiles left out.
    """

    dataset_dir: Path
    contract: DatasetContract
    enforce_suffix: str | None = None
    exclude_suffix: str | None = None
    exclude_tiles: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[TileRecord]:
        """The tiles, in the data set's order; InputError where none is left."""
        from sensor2sensor.pipeline.reader import iterate_tiles

        tiles = iterate_tiles(
            self.dataset_dir,
            self.contract,
            "train",
            enforce_suffix=self.enforce_suffix,
            exclude_suffix=self.exclude_suffix,
            exclude_tiles=self.exclude_tiles,
        )
        return iter(tiles)

    def count(self) -> int:
        """Number of tiles; InputError where none is left."""
        filters = self.enforce_suffix, self.exclude_suffix, self.exclude_tiles
        return len(list_records(self.dataset_dir, "train", *filters))

    @property
    def whole(self) -> bool:
        """Whether no filter leaves tiles out."""
        return not (self.enforce_suffix or self.exclude_suffix or self.exclude_tiles)


@dataclass(frozen=True)
class Baseline:
    """One entry of the registry.

    Attributes:
        name: As in tables, and as ``model_name`` of an experiment.
        kinds: Kinds of data sets whose models it is compared with.
        applies: Why a data set cannot have it; None where it can.
        make: Makes it for a data set, fitted on the train split where it is fitted at all.
        restore: Makes it again from what its ``describe()`` says, without reading a tile.
        fitted: Whether its numbers depend on the train split.
        bound: Makes the entry for the ``params`` of an experiment, where it has any.
    """

    name: str
    kinds: frozenset[str]
    applies: Callable[[DatasetContract], str | None]
    make: Callable[[DatasetContract, TrainSplit], Predictor]
    restore: Callable[[DatasetContract, Mapping[str, Any]], Predictor]
    fitted: bool = False
    bound: Callable[[Mapping[str, Any]], Baseline] | None = None
