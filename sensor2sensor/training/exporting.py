"""A run as an exported file: its weights restored, written for the house's own use or a tool's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run
from sensor2sensor.core.versions import __version__
from sensor2sensor.predictors import export, onnx_file

if TYPE_CHECKING:
    from sensor2sensor.predictors.sidecar import Format, Sidecar


def export_physical(
    experiment: Any, run: Run, gan_class: type, folder: Path, kind: Format, at: int | None = None
) -> tuple[Path, Sidecar]:
    """Write a run's generator for physical values, and its sidecar.

    Args:
        experiment: The experiment of the run.
        run: The run.
        gan_class: The class of its model.
        folder: Where to.
        kind: ``onnx`` or ``savedmodel``.
        at: The checkpoint's step; the newest by default.

    Returns:
        The sidecar's path and the sidecar.

    Raises:
        CheckpointError: The weights were not restored.
        ModelContractError: The file does not make what the generator makes.
    """
    load_tensorflow()
    from sensor2sensor.predictors import physical
    from sensor2sensor.training.averages import weights_in_use
    from sensor2sensor.training.trained import trained

    seen, gan, step = trained(experiment, run, gan_class, at=at)
    plan = physical.plan_of(seen, gan.generator)
    own = gan.generator if experiment.config.precision == "float32" else None
    known = {**facts(experiment, run, step), "weights": weights_in_use(gan)}
    known = {**known, "trained_in": experiment.config.precision, "version": __version__}
    stem = stem_of(experiment, run, at)
    return physical.write(plan, seen.normaliser, folder, stem, kind, known, generator=own)


def export_for_tool(
    experiment: Any, run: Run, gan_class: type, folder: Path, fit: export.Fit, *,
    at: int | None = None, margin: int | None = None,
) -> tuple[Path, export.Margin, dict[str, float]]:  # fmt: skip
    """Write both files of a run for ``sentinel2_superresolution``, the card last.

    Args:
        experiment: The experiment of the run.
        run: The run.
        gan_class: The class of its model.
        folder: Where to.
        fit: Of the experiment.
        at: The checkpoint's step; the newest by default.
        margin: Output pixels; as far as the network sees by default.

    Returns:
        The card, the margin, and what was measured.

    Raises:
        CheckpointError: The weights were not restored.
        ModelContractError: The file does not make what the generator makes.
    """
    load_tensorflow()
    from sensor2sensor.predictors.onnx_model import OnnxModel
    from sensor2sensor.training.averages import weights_in_use
    from sensor2sensor.training.trained import trained

    seen, gan, step = trained(experiment, run, gan_class, at=at)
    generator = export.of_any_size(gan.generator)
    given = export.behind_its_enlargement(generator, fit)
    margins = export.margin_of(given, fit.factor, margin)
    network = export.in_digital_numbers(given, seen.normaliser, fit)
    truth = onnx_file.reference(generator, seen.normaliser, fit)
    truths = [(truth, sides) for sides in onnx_file.ODD_PX]
    if experiment.config.precision == "float32":  # not only to its copy for any size
        own = seen.INPUT_HEIGHT, seen.INPUT_WIDTH
        truths.append((onnx_file.reference(gan.generator, seen.normaliser, fit), own))
    path = folder / f"{stem_of(experiment, run, at)}.onnx"
    ranges = experiment.contract.input_ranges()
    measured = onnx_file.write(network, truths, OnnxModel, path, margins, fit, ranges)
    known = {**facts(experiment, run, step), "weights": weights_in_use(gan), **measured}
    card = path.with_suffix(".yaml")
    files.write_text(card, onnx_file.card_text(path, fit, margins, known))
    return card, margins, measured


def stem_of(experiment: Any, run: Run, at: int | None) -> str:
    """Name of an export: experiment, run and, unless it is the last, step."""
    stem = "__".join([*experiment.name.split("/")]) + f"_{run.timestamp}"
    return f"{stem}{'' if at is None else f'_step-{at}'}"


def facts(experiment: Any, run: Run, step: int) -> dict[str, Any]:
    """Where the weights come from; the licence of the data among it."""
    contract = experiment.contract
    inventories = contract.provenance.get("inventories", [])
    licences = sorted({one["licence"] for one in inventories if "licence" in one})
    return {
        "experiment": experiment.name,
        "run": run.timestamp,
        "step": step,
        "model": experiment.config.model_name,
        "normalisation": experiment.NORMALISATION,
        "dataset": contract.name,
        "dataset_sha256": files.sha256(experiment.dataset_dir / "dataset.json"),
        **({"data_licence": "; ".join(licences)} if licences else {}),
    }
