"""Write an evaluation: a row per tile as CSV, everything needed to judge it as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from sensor2sensor.config.evaluations import FORMAT_VERSION, KEY_COLUMNS
from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.config.vocabulary import LPIPS, METRICS_VERSION, PIX2PIX_MAPS
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.dataset.strata import PIXELS
from sensor2sensor.evaluation.definitions import definitions
from sensor2sensor.evaluation.published import published
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.evaluation.summary import plain

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.evaluation.tile_facts import FactSheet

SHORT = 8  # digits of a hash in the name of a file
INFERENCE = "inference."  # begins the keys that say how a generator is applied


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Filters(TypedDict):
    """Tiles of a split that are left, by their names; None keeps all."""

    enforce_suffix: str | None
    exclude_suffix: str | None
    exclude_tiles: frozenset[str]


def noted(filters: Filters) -> dict[str, str | None]:
    """The suffixes and, only where there are such, the hash of the names left out."""
    suffixes = {"enforce_suffix": filters["enforce_suffix"]}
    suffixes["exclude_suffix"] = filters["exclude_suffix"]
    names = filters["exclude_tiles"]
    return {**suffixes, **({"exclude_tiles": Excluded(names).sha256} if names else {})}


@dataclass(frozen=True)
class Inference:
    """What a generator keeps of its training mode.

    Attributes:
        dropout: Whether dropout stays on.
        draws: How many draws of it a score is the mean of.
        norm: ``moving``, or ``batch`` for the moments of the batch it is given.
        batch_size: Tiles of a batch.
        last_batch: Of the last one, where the tiles do not fill it: the moments are its own.
    """

    dropout: bool
    draws: int
    norm: str
    batch_size: int
    last_batch: int | None = None

    def noted(self) -> dict[str, Any]:
        """For the JSON; a last batch only where it is another."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Subject:
    """What was evaluated.

    Attributes:
        experiment: ``a/b/c``.
        timestamp: Of the run.
        model_name: Name of the model.
        step: Training step of the weights.
        dataset: Name of the data set.
        dataset_sha256: Of its ``dataset.json``.
        filters: Filters in force (:func:`noted`).
        weights: ``last``, or ``ema <decay>`` for averaged weights.
        clipped_pixels: Share of target pixels beyond the bounds of the model's output; None where
            it has none.
        inference_statistics: Of batch normalisation: ``train``, ``image`` for each its own, or
            ``batch``.
        inference: What is kept of the training mode; None: nothing.
        baseline: Whether the model is the baseline of its name, which is then not compared with it.
        named_step: The step, where it was asked for and is part of the files' names.
        at_best: Whether the run's best validation is that of this step; None: it keeps none.
        options: What ``--set`` said of the evaluation.
        intervals: How much of test the model's intervals hold (section ``intervals``); None: none.
        seed: Of the experiment; None of a baseline, which draws nothing.
        recipe: SHA-256 of the resolved experiment without its seed; None where nobody knows it.
        scored_on: The data set that was scored where it is not the one trained on, and what is
            known of the ground both have; None otherwise.
        aligned: Splits of the data set trained on whose inputs are aligned with the target.
    """

    experiment: str
    timestamp: str
    model_name: str
    step: int
    dataset: str
    dataset_sha256: str
    filters: Mapping[str, str | None]
    weights: str = "last"
    clipped_pixels: float | None = None
    inference_statistics: str = "train"
    inference: Inference | None = None
    baseline: bool = False
    named_step: int | None = None
    at_best: bool | None = None
    options: tuple[str, ...] = ()
    intervals: Mapping[str, Any] | None = None
    seed: int | None = None
    recipe: str | None = None
    scored_on: Mapping[str, Any] | None = None
    aligned: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """``a__b__c_<timestamp>``, the name of every file of this evaluation."""
        return f"{self.experiment.replace('/', '__')}_{self.timestamp}"


def stem(subject: Subject, profile: str, split: str = "test") -> str:
    """File stem; what is not the rule is named, so that none overwrites another.

    That is a profile but ``standard``, a split but ``test``, a mode of inference and a step that
    was asked for, the size of a batch whose moments are taken, and a data set but that of the run,
    with the beginning of its hash: built anew, it is another one.
    """
    # Suffixes for what is not the rule alone: names of evaluations on disk stay as they are.
    named = [part for part in (profile, split) if part not in ("standard", "test")]
    if not subject.baseline:  # which keeps nothing of a training
        named += _asked(subject)
    if subject.inference is not None and subject.inference.draws > 1:
        named.append(f"draws-{subject.inference.draws}")
    if subject.named_step is not None:
        named.append(f"step-{subject.named_step}")
    if subject.scored_on is not None:
        digest = subject.dataset_sha256.split(":")[-1]
        named.append(f"on-{subject.dataset}-{digest[:SHORT]}")
    return "_".join([subject.stem, *named])


def refuse_taken(folder: Path, base: str, subject: Subject) -> None:
    """Refuse to write over an evaluation of another experiment whose files have the same names.

    Args:
        folder: ``Environment.evaluation_dir``.
        base: :func:`stem` of what is to be written.
        subject: What is to be evaluated.

    Raises:
        OutputExistsError: ``x/y__z`` and ``x__y/z`` have runs of one minute.
    """
    path = folder / f"{base}.json"
    try:
        there = files.read_json(path)
    except InputError:
        return  # none, or one that no report reads: a new one takes its place
    other = there.get("experiment") if isinstance(there, dict) else None
    if isinstance(other, str) and other != subject.experiment:
        what = f"holds the scores of '{other}'; those of '{subject.experiment}' have the same name"
        hint = f"move {base}* to another folder, or rename one of the two experiments"
        raise OutputExistsError(what, where=path, hint=hint)


def _asked(subject: Subject) -> list[str]:
    """Settings of the evaluation that move its scores, in one order and one spelling."""
    pairs = dict(text.split("=", 1) for text in subject.options)
    asked = {key.strip(): value.strip().strip('"') for key, value in pairs.items()}
    modes = sorted(key for key in asked if key.startswith(INFERENCE))
    named = [f"{key.removeprefix(INFERENCE)}-{asked[key]}" for key in modes]
    if "batch_size" in asked and subject.inference_statistics == "batch":
        named.append(f"batch_size-{asked['batch_size']}")
    return named


def _dataset(subject: Subject, contract: DatasetContract) -> dict[str, Any]:
    return {
        "name": subject.dataset,
        "sha256": subject.dataset_sha256,  # built anew it keeps its name, and not its splits
        "kind": contract.kind,
        "tile_px": contract.tile_px,
        "resolution_m": contract.resolution_m,
        "factor": contract.factor,
        "split_policy": contract.split_policy.model_dump(mode="json"),
        # PSNR, SSIM, HPSI and HP-L1 are relative to these: other ranges, other numbers.
        "value_ranges": {
            band.name: [float(low), float(high)]
            for band, (low, high) in zip(
                contract.target.bands, contract.target_ranges(), strict=True
            )
        },
    }


def _strata(evaluation: Evaluation) -> dict[str, Any]:
    """What each part of the tiles is, how much ground is behind it, and its columns."""
    found = {}
    for part in evaluation.strata:
        pixels, tiles = evaluation.pixels(part)
        columns = evaluation.columns_of(part)
        given = [m for m in evaluation.methods if any(evaluation.given(m, c) for c in columns)]
        found[part.name] = {
            "extra": part.extra,
            "values": list(part.values),
            "pixels": pixels,
            "tiles": tiles,
            "columns": columns,
            **asdict(evaluation.grounds[part.name]),
            # Only of a profile with parts of its own: other files stay as they were before those.
            **({**part.facts(), "by_definition": given} if part.facts() else {}),
        }
    return found


def _metrics(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Definitions, and which file of weights is behind a metric that needs one."""
    facts = evaluation.profile, evaluation.metrics, evaluation.unit, evaluation.undefined
    found: dict[str, dict[str, Any]] = {n: dict(own) for n, own in definitions(*facts).items()}
    if evaluation.lpips is not None:
        found[LPIPS]["weights"] = evaluation.lpips.told()
    return found


def document(
    evaluation: Evaluation,
    subject: Subject,
    contract: DatasetContract,
    baselines: Mapping[str, Any],
    csv: Mapping[str, Any],
    gallery: list[dict[str, Any]],
    further: Mapping[str, Any],
) -> dict[str, Any]:
    """The JSON beside the table."""
    return {
        "format_version": FORMAT_VERSION,
        "metrics_version": METRICS_VERSION,
        "experiment": subject.experiment,
        "timestamp": subject.timestamp,
        "model_name": subject.model_name,
        "model_is_baseline": subject.baseline,
        "seed": subject.seed,
        "recipe": subject.recipe,
        "step": subject.step,
        "at_best": subject.at_best,
        "weights": subject.weights,
        "clipped_pixels": subject.clipped_pixels,
        "inference_statistics": subject.inference_statistics,
        # Only where something is kept: other files stay as they were before it could be.
        **({"inference": subject.inference.noted()} if subject.inference else {}),
        "dataset": _dataset(subject, contract),
        "scored_on": None if subject.scored_on is None else dict(subject.scored_on),
        # Only where they are: other files stay as they were before they could be.
        **({"aligned": list(subject.aligned)} if subject.aligned else {}),
        "split": evaluation.split,
        "filters": dict(subject.filters),
        "profile": evaluation.profile,
        "metrics": _metrics(evaluation),
        # Zero spectra have no angle; how many there were tells how much of the truth was fill.
        "sam_left_out": evaluation.sam_left_out,
        "strata": _strata(evaluation),
        "methods": list(evaluation.methods),
        "reference": evaluation.reference,
        "baselines": {name: item.describe() for name, item in baselines.items()},
        "tiles": evaluation.tiles,
        "scene_unit": evaluation.scene_unit,
        "states": evaluation.states,
        "summary": {
            method: {name: plain(item) for name, item in row.items()}
            for method, row in evaluation.summary.items()
        },
        "gain": {
            method: {name: plain(item) for name, item in row.items()}
            for method, row in evaluation.gains.items()
        },
        # The published keys, with the published kind of standard deviation, of that profile alone.
        **({"published": published(evaluation)} if evaluation.profile == PIX2PIX_MAPS else {}),
        **({"pooled": evaluation.pooled.plain()} if evaluation.pooled is not None else {}),
        **({"cross_sensor": evaluation.cross_sensor} if evaluation.detail is not None else {}),
        # Only where something was said: other files stay as they were before there was a --set.
        **({"set": list(subject.options)} if subject.options else {}),
        **({"intervals": dict(subject.intervals)} if subject.intervals else {}),
        "csv": dict(csv),
        "gallery": gallery,
        **further,
    }


def write(
    evaluation: Evaluation,
    folder: Path,
    subject: Subject,
    contract: DatasetContract,
    *,
    baselines: Mapping[str, Any],
    gallery: list[dict[str, Any]] | None = None,
    fixed: list[dict[str, Any]] | None = None,
    facts: FactSheet | None = None,
    sections: Mapping[str, Any] = NOTHING,
) -> tuple[Path, Path]:
    """Write ``<stem>.csv`` and ``<stem>.json``; the JSON comes last and vouches for the CSV.

    Args:
        evaluation: The scores.
        folder: ``Environment.evaluation_dir``.
        subject: What was evaluated.
        contract: The data set's contract.
        baselines: The baselines among the methods, each with ``describe()``.
        gallery: Entries of :func:`sensor2sensor.evaluation.gallery.write_gallery`.
        fixed: Those of :func:`sensor2sensor.evaluation.fixed.write_fixed`.
        facts: What is known of each tile, written as ``<stem>_tiles.csv``.
        sections: Further ones of the JSON by their names, ``trust`` and ``intervals``.

    Returns:
        The two paths.
    """
    base = stem(subject, evaluation.profile, evaluation.split)
    table, path = folder / f"{base}.csv", folder / f"{base}.json"
    # Behind all metrics: a reader of a table without strata finds its columns in their places.
    counted = [part.column(PIXELS) for part in evaluation.strata]
    rows = [
        (
            *(row.name, row.scene, row.split, row.method),
            *(row.values[column] for column in evaluation.columns),
            *row.pixels.values(),
        )
        for row in evaluation.rows
    ]
    files.write_csv(table, (*KEY_COLUMNS, *evaluation.columns, *counted), rows)
    # Last comes what vouches: interrupted in between, a table without it is skipped.
    csv = {"file": table.name, "rows": len(rows), "sha256": files.sha256(table)}
    further: dict[str, Any] = {"fixed": fixed or []}
    if facts is not None:
        further["tile_facts"] = facts.write(folder, base)
    further |= {name: section for name, section in sections.items() if section is not None}
    content = document(evaluation, subject, contract, baselines, csv, gallery or [], further)
    files.write_json(path, content)
    return table, path
