"""Another data set that a run is scored on, and whether it can be.

What a model is given must mean there what it meant in training. So the contracts have to agree in
all that decides what a number is; the normalisation is the run's own and goes with its weights. The
value ranges of the metrics are those of the data set that is scored (ADR 0030).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sensor2sensor.config.places import dataset_fault
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.dataset.calibration import parts_of
from sensor2sensor.dataset.contract import CONTRACT_FILE, load_contract
from sensor2sensor.dataset.form import form_of
from sensor2sensor.dataset.overlap import Overlap, overlap
from sensor2sensor.predictors.support import SAME_NM

if TYPE_CHECKING:
    from sensor2sensor.dataset.bands import BandSpec
    from sensor2sensor.dataset.contract import DatasetContract

_SAME_M = 1e-3  # of a pixel's size


def add_data(made: argparse.ArgumentParser) -> None:
    """The option that names another data set."""
    made.add_argument(
        "--dataset", metavar="OTHER", help="score it on another data set of the same contract"
    )


@dataclass(frozen=True)
class Elsewhere:
    """Another data set of the same contract.

    Attributes:
        name: Its name.
        folder: ``<data_root>/<name>/<tilesize>``.
        contract: Its own.
        trained_on: Name and SHA-256 of the data set that the run was trained on.
        overlap: What its split has of the ground that the run learned from, or was chosen by.
        split: The split that is scored.
        differs: In what its numbers were made otherwise than those of the training.
    """

    name: str
    folder: Path
    contract: DatasetContract
    trained_on: dict[str, str]
    overlap: Overlap
    split: str = "test"
    differs: tuple[str, ...] = ()

    @classmethod
    def of(cls, experiment: Any, name: str, split: str) -> Self:
        """The data set of that name, of the experiment's tile size.

        Args:
            experiment: That of the run, as the run has it.
            name: The data set's.
            split: The split that is to be scored.

        Raises:
            ConfigError: It is of another contract, or the one that the run was trained on.
            InputError: There is none.
        """
        root, config = experiment.environment.data_root, experiment.config
        if (fault := dataset_fault(root, name, config.tilesize)) is not None:
            raise InputError(fault[1], where="--dataset")
        folder = root / name / str(config.tilesize)
        own = experiment.dataset_dir
        known = {"name": config.dataset, "sha256": files.sha256(own / CONTRACT_FILE)}
        # A copy is no other data set, whatever it is called.
        if files.sha256(folder / CONTRACT_FILE) == known["sha256"]:
            hint = "leave out --dataset"
            raise ConfigError(f"the run was trained on '{name}'", where="--dataset", hint=hint)
        contract = load_contract(folder)
        refuse_other_contract(experiment.contract, contract)
        parts = parts_of(experiment)
        aside = frozenset() if parts is None else parts.aside
        found = overlap((own, experiment.contract), (folder, contract), split, aside)
        differs = tuple(made_otherwise(experiment.contract, contract))
        return cls(name, folder, contract, known, found, split, differs)

    def as_json(self, sha256: str) -> dict[str, Any]:
        """``scored_on`` of an evaluation.

        Args:
            sha256: Of the data set's contract.
        """
        found = self.overlap
        return {
            "name": self.name,
            "sha256": sha256,
            "trained_on": self.trained_on,
            "differs": list(self.differs),
            "ground": found.ground,
            "tiles": len(found.tiles),
            "seen_tiles": len(found.seen) if found.known or found.seen else None,
            "beside_tiles": len(found.beside) if found.ground == "crs" else None,
            "val_tiles": len(self._shown) if found.known or found.shown else None,
            "shared": list(found.shared),
            "note": found.note,
        }

    def lines(self) -> Iterator[str]:
        """What whoever reads the scores has to know."""
        found, there = self.overlap, self.trained_on["name"]
        yield (
            f"trained on '{there}', scored on '{self.name}': normalised as in training; value "
            "ranges, and the baselines that are fitted, are those of the data set scored"
        )
        if self.contract.input.aligned:
            yield (
                f"inputs of train are aligned with the target in '{self.name}': those that are"
                " scored never are, so only baselines that are fitted know of it"
            )
        if self.differs:
            yield f"its numbers are of another making: {'; '.join(self.differs)}"
        all_of = f"of {len(found.tiles)} tiles"
        learned = f"of the train split of '{there}', which the run learned from"
        kinds = {"crs": "show ground", "group": "are of places"}
        what = kinds.get(found.ground, "are made of files")
        if found.known or found.seen:
            yield f"{len(found.seen)} {all_of} {what} {learned}{_apart(found.seen, 'training')}"
        if found.beside:
            yield f"{len(found.beside)} more lie beside it, in blocks of ground {learned}"
        watched = self._shown - found.aside
        kept = found.aside if self.split == "val" else self._shown & found.aside
        shown = f"{all_of} {what} of the val split of '{there}'"
        if watched:
            chose = "which checkpoints and recipes are chosen by"
            yield f"{len(watched)} {shown}, {chose}{_apart(watched, 'validation')}"
        if kept:
            fate = ": they are left out" if self.split == "val" else _apart(kept, "validation")
            yield f"{len(kept)} {shown} that calibrates its intervals{fate}"
        if found.note:
            yield found.note

    @property
    def _shown(self) -> frozenset[str]:
        """Tiles on ground of val that the train split does not show as well."""
        return self.overlap.shown - self.overlap.seen


def _apart(tiles: frozenset[str], by: str) -> str:
    told = f": these scores are not all of new ground (seen_in_{by} tells the tiles)"
    return told if tiles else ""


def refuse_other_contract(trained: DatasetContract, scored: DatasetContract) -> None:
    """Refuse a data set that means something else by a number than a run was trained on.

    Raises:
        ConfigError: With all that differs.
    """
    found = list(_differences(trained, scored))
    if found:
        problem = f"a run trained on '{trained.name}' cannot be scored on it: {'; '.join(found)}"
        hint = "name a data set of the same source and options"
        raise ConfigError(problem, where=f"--dataset {scored.name}", hint=hint)


def _differences(trained: DatasetContract, scored: DatasetContract) -> Iterator[str]:
    for what in ("kind", "factor"):
        there, here = getattr(trained, what), getattr(scored, what)
        if there != here:
            yield f"{what} {there} in training, {here} there"
    sizes = trained.resolution_m, scored.resolution_m
    # Where one does not know its pixels nobody can say that they are others.
    if None not in sizes and not math.isclose(*sizes, rel_tol=_SAME_M):  # type: ignore[arg-type]
        yield f"pixels of {sizes[0]:g} m in training, {sizes[1]:g} m there"
    if trained.input_px != scored.input_px:
        yield f"input grid {_grid(trained)} in training, {_grid(scored)} there"
    for side in ("input", "target"):
        bands = [getattr(contract, side).bands for contract in (trained, scored)]
        told = [[_band(band) for band in own] for own in bands]
        if told[0] != told[1]:
            yield f"{side} bands {_named(told[0], told[1])} in training, " + (
                f"{_named(told[1], told[0])} there"
            )
            continue
        for one, other in zip(*bands, strict=True):
            # Satellites of one series lie closer; B05 of two sensors is red edge and infrared.
            known = one.wavelength_nm, other.wavelength_nm
            if None not in known and abs(known[0] - known[1]) > SAME_NM:
                far = f"at {known[0]:g} nm in training, at {known[1]:g} nm there"
                yield f"{side} band {one.name} {far}"


def made_otherwise(trained: DatasetContract, scored: DatasetContract) -> Iterator[str]:
    """In what the numbers of two data sets that mean the same were made otherwise; not refused.

    How a model does there is what it is scored for: under another blur, at another level. Inputs
    that are aligned with the target are of train alone: what is scored is as it comes in both.
    """
    for what, of in (("degraded by", _degraded), ("level", _level), ("made by", _step)):
        there, here = of(trained), of(scored)
        if None not in (there, here) and there != here:
            yield f"{what} {there} in training, {here} there"


def _level(contract: DatasetContract) -> str | None:
    return form_of(contract).level


def _step(contract: DatasetContract) -> str | None:
    step = contract.provenance.get("step")
    return None if step is None else f"step {step}"


def _degraded(contract: DatasetContract) -> str | None:
    made = contract.degradation
    if made is None:
        return None
    return "means" if made.mtf_nyquist is None else f"an MTF of {made.mtf_nyquist:g} at Nyquist"


def _grid(contract: DatasetContract) -> str:
    size = contract.input_px
    return "none" if size is None else f"{size[0]} x {size[1]}"


def _band(band: BandSpec) -> tuple[str, ...]:
    coarse = f"{band.native_px} px" if band.native_px > 1 else ""
    return band.name, band.unit, coarse, "" if band.reference else "without a reference"


def _named(own: list[tuple[str, ...]], others: list[tuple[str, ...]]) -> str:
    """The bands in their order; with unit and grid where names alone would be the same."""
    names = [[band[0] for band in side] for side in (own, others)]
    if names[0] != names[1]:
        return ", ".join(names[0])
    return ", ".join(
        f"{one[0]} ({', '.join(filter(None, one[1:]))})"
        for one, other in zip(own, others, strict=True)
        if one != other
    )
