"""Write a trained generator as a file that others run: ONNX, and a card in YAML.

  python export.py --exp sisr/carn --target sentinel2_superresolution
  python export.py --exp sisr/carn --target sentinel2_superresolution --step best --out models/
  python export.py --exp sisr/rrdb --target sentinel2_superresolution --margin 66

Both files go to <experiment>/export/, named after experiment and run. The public tool
sentinel2_superresolution runs them, and so does python -m sensor2sensor.inference. The margin is as
far as the network sees; a smaller one that is asked for leaves seams, and how large ones is said.
A file that differs from the generator is not left.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import Experiment
from models.loading import check_by_name, find_gan_class
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.places import find_experiment
from sensor2sensor.core import files
from sensor2sensor.core.cli import main_guard, parser
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run, check_timestamp, find_run
from sensor2sensor.predictors import export, onnx_file
from sensor2sensor.predictors.onnx_model import OnnxModel
from sensor2sensor.training.baseline import baseline_of
from sensor2sensor.training.run_file import refuse_other_data
from sensor2sensor.training.steps import add_step, chosen_step


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="export.py")
    add = made.add_argument
    add("--exp", required=True, help="experiment below experiment_root: a/b/c")
    add("--timestamp", metavar="MMDD-hhmm", help="run to export (default: the latest)")
    add("--target", required=True, choices=(export.TARGET,), help="what is to run the file")
    add("--out", type=Path, metavar="DIR", help="folder (default: export/ of the experiment)")
    add("--margin", type=int, metavar="N", help="output pixels (default: as far as it sees)")
    add(
        "--other-scale", action="store_true",
        help="the model is meant for other pixels than it was trained on: 20 m to 10 m, given 10 m",
    )  # fmt: skip
    add_step(made)
    return made


def export_run(
    experiment: Experiment, run: Run, folder: Path, fit: export.Fit, *,
    at: int | None = None, margin: int | None = None,
) -> tuple[Path, export.Margin, dict[str, float]]:  # fmt: skip
    """Write both files of a run, the card last; returns it, the margin, and what was measured.

    Args:
        experiment: The experiment of the run.
        run: The run.
        folder: Where to.
        fit: Of the experiment.
        at: The checkpoint's step; the newest by default.
        margin: Output pixels; as far as the network sees by default.

    Raises:
        CheckpointError: The weights were not restored.
        ModelContractError: The file does not make what the generator makes.
    """
    load_tensorflow()
    from sensor2sensor.training.averages import weights_in_use
    from sensor2sensor.training.trained import trained

    name, root = experiment.config.model_name, experiment.environment.models_root
    gan_class = find_gan_class(name, root, print, experiment.config.modules)
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
    stem = "__".join([*experiment.name.split("/")]) + f"_{run.timestamp}"
    path = folder / f"{stem}{'' if at is None else f'_step-{at}'}.onnx"
    ranges = experiment.contract.input_ranges()
    measured = onnx_file.write(network, truths, OnnxModel, path, margins, fit, ranges)
    known = {**facts(experiment, run, step), "weights": weights_in_use(gan), **measured}
    card = path.with_suffix(".yaml")
    files.write_text(card, onnx_file.card_text(path, fit, margins, known))
    return card, margins, measured


def facts(experiment: Experiment, run: Run, step: int) -> dict[str, Any]:
    """Where the weights come from, for the card; the licence of the data among it."""
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


def told(fit: export.Fit, margin: export.Margin, measured: dict[str, float]) -> None:
    """Say how exact the file is, and how large the seams are that a small margin leaves."""
    if margin.radius_px is None or margin.px < margin.radius_px * fit.factor:
        sees = "more than was measured" if margin.radius_px is None else f"{margin.radius_px} px"
        print(
            f"margin {margin.px}: an output pixel sees {sees} of the input to each side; at white"
            f" noise a seam is up to {measured['seam_dn']:.1f} digital numbers high"
        )
    print(f"equal to the generator within {measured['parity_dn']:.2g} digital numbers")


def main(args: argparse.Namespace) -> int:
    """Check everything cheap first, then export."""
    environment = load_environment(args.environment)
    stamp = check_timestamp(args.timestamp) if args.timestamp else None
    run = find_run(find_experiment(args.exp, environment), stamp)
    experiment = Experiment(args.exp, environment, timestamp=run.timestamp, as_run=True)
    at = chosen_step(run, args.step, experiment.contract)
    if baseline_of(run, experiment.contract) is not None:
        hint = f"{export.TARGET} makes the bicubic enlargement itself (--bicubic)"
        raise InputError("a baseline is no network to export", where=args.exp, hint=hint)
    check_by_name(experiment.config.model_name, environment.models_root)
    refuse_other_data(experiment)
    fit = export.fit_of(experiment, other_scale=args.other_scale)
    folder = args.out or experiment.exp_dir / "export"
    card, margin, measured = export_run(experiment, run, folder, fit, at=at, margin=args.margin)
    told(fit, margin, measured)
    if export.enlarges_otherwise(fit):
        print("compat: trained on bands of 20 m enlarged by -0.75, the tool enlarges them by -0.5")
    print(f"wrote {card} and {card.with_suffix('.onnx').name}")
    return 0


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
