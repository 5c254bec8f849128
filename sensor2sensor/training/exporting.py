"""A run as an exported file: its weights restored, written for the house's own use or a tool's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run
from sensor2sensor.core.versions import __version__
from sensor2sensor.dataset.ancestry import inherited, sources_of
from sensor2sensor.predictors import export, onnx_file
from sensor2sensor.predictors.exported import experiment_of
from sensor2sensor.predictors.intervals import intervals_for, place_of

if TYPE_CHECKING:
    from sensor2sensor.predictors.sidecar import Format, Sidecar


@dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        experiment: The experiment of the run.
        run: The run.
        find: Finds the class of its model; only then is it imported.
        at: The checkpoint's step; the newest by default.
    """

    experiment: Any
    run: Run
    find: Callable[[], type]
    at: int | None = None

    def trained(self) -> tuple[Any, Any, dict[str, Any]]:
        """The experiment as its model normalises, the model, and where its weights come from.

        Raises:
            CheckpointError: The weights were not restored.
        """
        from sensor2sensor.training.averages import weights_in_use
        from sensor2sensor.training.trained import trained

        seen, gan, step = trained(self.experiment, self.run, self.find(), at=self.at)
        known = facts(self.experiment, self.run, step)
        counted = {"weights_count": int(gan.generator.count_params())}
        return seen, gan, {**known, "weights": weights_in_use(gan), **counted}

    def stem(self, kind: str) -> str:
        """Name of its files: experiment, run, step unless it is the last, and what they are for.

        Each kind has its own, for all are written to one folder.
        """
        stem = "__".join([*self.experiment.name.split("/")]) + f"_{self.run.timestamp}"
        step = "" if self.at is None else f"_step-{self.at}"
        return f"{stem}{step}{'' if kind == 'onnx' else f'__{kind}'}"

    def place(self, folder: Path, kind: str) -> Path:
        """Its files in a folder, without their endings.

        Raises:
            OutputExistsError: They are of another experiment: ``a/b`` and ``a__b`` have one name.
        """
        stem = self.stem(kind)
        for path in (folder / f"{stem}.json", folder / f"{stem}.yaml"):
            known = experiment_of(path)
            if known is not None and known != self.experiment.name:
                what = f"is there already, an export of {known}"
                raise OutputExistsError(what, where=path, hint="name another folder")
        return folder / stem


def export_physical(source: Source, folder: Path, kind: Format) -> tuple[Path, Sidecar]:
    """Write a run's generator for physical values, and its sidecar.

    Args:
        source: What is exported.
        folder: Where to.
        kind: ``onnx`` or ``savedmodel``.

    Returns:
        The sidecar's path and the sidecar.

    Raises:
        CheckpointError: The weights were not restored.
        ModelContractError: The file does not make what the generator makes.
    """
    load_tensorflow()
    from sensor2sensor.predictors import physical

    stem = source.place(folder, kind).name
    seen, gan, known = source.trained()
    precision = source.experiment.config.precision
    own = gan.generator if precision == "float32" else None
    plan = physical.plan_of(seen, gan.generator)
    held = intervals_for(
        place_of(source.run, known["step"]), {**known, "applied": applied(source.experiment)}
    )
    if inherited(source.experiment, sources_of(source.run)).seen:
        held = None  # of ground that the weights had seen: kept before anybody asked
    known = {**known, "trained_in": precision, "version": __version__}
    about = (plan, seen.normaliser, folder, stem, kind, known)
    return physical.write(*about, generator=own, intervals=held)


def export_for_tool(
    source: Source, folder: Path, fit: export.Fit, *, margin: int | None = None
) -> tuple[Path, export.Margin, dict[str, float]]:
    """Write both files of a run for ``sentinel2_superresolution``, the card last.

    Args:
        source: What is exported.
        folder: Where to.
        fit: Of the experiment.
        margin: Output pixels; as far as the network sees by default.

    Returns:
        The card, the margin, and what was measured.

    Raises:
        CheckpointError: The weights were not restored.
        ModelContractError: The file does not make what the generator makes.
    """
    load_tensorflow()
    from sensor2sensor.predictors.onnx_model import OnnxModel

    place = source.place(folder, export.TARGET)
    seen, gan, known = source.trained()
    generator = export.of_any_size(gan.generator)
    given = export.behind_its_enlargement(generator, fit)
    margins = export.margin_of(given, fit.factor, margin)
    network = export.in_digital_numbers(given, seen.normaliser, fit)
    truth = onnx_file.reference(generator, seen.normaliser, fit)
    truths = [(truth, sides) for sides in onnx_file.ODD_PX]
    if source.experiment.config.precision == "float32":  # not only to its copy for any size
        own = seen.INPUT_HEIGHT, seen.INPUT_WIDTH
        truths.append((onnx_file.reference(gan.generator, seen.normaliser, fit), own))
    path = place.with_name(f"{place.name}.onnx")
    ranges = source.experiment.contract.input_ranges()
    measured = onnx_file.write(network, truths, OnnxModel, path, margins, fit, ranges)
    card = path.with_suffix(".yaml")
    files.write_text(card, onnx_file.card_text(path, fit, margins, {**known, **measured}))
    return card, margins, measured


def facts(experiment: Any, run: Run, step: int) -> dict[str, Any]:
    """Where the weights come from; the licence of the data among it."""
    contract = experiment.contract
    inventories = contract.provenance.get("inventories", [])
    licences = sorted({one["licence"] for one in inventories if "licence" in one})
    return {
        "experiment": experiment.name,
        "run": run.timestamp,
        "step": step,
        "checkpoint_sha256": _digest(run, step),
        "model": experiment.config.model_name,
        "normalisation": experiment.NORMALISATION,
        "dataset": contract.name,
        "dataset_sha256": files.sha256(experiment.dataset_dir / "dataset.json"),
        **({"data_licence": "; ".join(licences)} if licences else {}),
    }


def applied(experiment: Any) -> dict[str, Any]:
    """How a generator is applied: what of its training mode it keeps, and the seed of draws."""
    kept: dict[str, Any] = experiment.config.inference.model_dump(mode="json")
    return {**kept, "statistics": experiment.config.applied_statistics, "seed": experiment.SEED}


def _digest(run: Run, step: int) -> str:
    """SHA-256 of a checkpoint's values: a run that is trained anew has others at the same step."""
    (values,) = run.ckpt_dir.glob(f"ckpt-{step}.data-*")
    return files.sha256(values)
