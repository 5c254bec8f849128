"""Write a trained generator as a file that others run, with all that is needed to apply it.

  python export.py --exp sis2/edsr
  python export.py --exp sis2/edsr --step best --format savedmodel --out models/
  python export.py --exp sis2/edsr --zoo models/
  python export.py --exp sisr/carn --target sentinel2_superresolution
  python export.py --exp sisr/rrdb --target sentinel2_superresolution --margin 66

Physical values in and out; normalisation lies within. Both files, <name>.onnx (or a SavedModel) and
its sidecar <name>.json, go to <experiment>/export/, named after experiment and run; predict.py and
s2s predict take either, the latter without TensorFlow. A file that differs from the generator is
not left. Beside them lie a model card, <name>.md, with the scores of these very weights, and a STAC
Item, <name>.mlm.json. With --zoo all go to that folder, where the model gets the experiment's name.

With --target sentinel2_superresolution the file is one for the public tool of that name, which
predict.py runs as well, and a card in YAML. The margin is as far as the network sees; a smaller one
that is asked for leaves seams, and how large ones is said.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import Experiment
from models.loading import check_by_name, find_gan_class
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.places import find_experiment
from sensor2sensor.core.cli import main_guard, parser
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.runs import check_timestamp, find_run
from sensor2sensor.inference.zoo import LIST, enter, name_of, refuse_taken
from sensor2sensor.predictors import export
from sensor2sensor.predictors.mlm import title_of
from sensor2sensor.report.model_card import write_companions
from sensor2sensor.training.baseline import baseline_of
from sensor2sensor.training.exporting import Source, export_for_tool, export_physical
from sensor2sensor.training.run_file import refuse_other_data
from sensor2sensor.training.steps import add_step, chosen_step

FORMATS = ("onnx", "savedmodel")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="export.py")
    add = made.add_argument
    add("--exp", required=True, help="experiment below experiment_root: a/b/c")
    add("--timestamp", metavar="MMDD-hhmm", help="run to export (default: the latest)")
    add("--format", choices=FORMATS, help="of the file (default: onnx)")
    add("--target", choices=(export.TARGET,), help="make the file for this tool")
    place = made.add_mutually_exclusive_group()
    here = "folder (default: export/ of the experiment)"
    place.add_argument("--out", type=Path, metavar="DIR", help=here)
    place.add_argument("--zoo", type=Path, metavar="DIR", help="folder of models known by name")
    add(
        "--margin", type=int, metavar="N",
        help="with --target: output pixels (default: as far as it sees)",
    )  # fmt: skip
    add(
        "--other-scale", action="store_true",
        help="with --target: the model is meant for other pixels than it was trained on: 20 m to 10"
        " m, given 10 m",
    )  # fmt: skip
    add_step(made)
    return made


def told(fit: export.Fit, margin: export.Margin, measured: dict[str, float]) -> None:
    """Say how exact the file is, and how large the seams are that a small margin leaves."""
    if margin.radius_px is None or margin.px < margin.radius_px * fit.factor:
        sees = "more than was measured" if margin.radius_px is None else f"{margin.radius_px} px"
        print(
            f"margin {margin.px}: an output pixel sees {sees} of the input to each side; at white"
            f" noise a seam is up to {measured['seam_dn']:.1f} digital numbers high"
        )
    print(f"equal to the generator within {measured['parity_dn']:.2g} digital numbers")
    if export.enlarges_otherwise(fit):
        print("compat: trained on bands of 20 m enlarged by -0.75, the tool enlarges them by -0.5")


def for_tool(args: argparse.Namespace, source: Source, folder: Path) -> Path:
    """Export for the public tool; returns the card."""
    if args.format not in (None, "onnx"):
        raise ConfigError(f"{args.target} runs ONNX alone", where="--format", hint="leave it out")
    fit = export.fit_of(source.experiment, other_scale=args.other_scale)
    card, margin, measured = export_for_tool(source, folder, fit, margin=args.margin)
    told(fit, margin, measured)
    return card


def for_all(args: argparse.Namespace, source: Source, folder: Path) -> Path:
    """Export for physical values; returns the sidecar."""
    said = {"--margin": args.margin is not None, "--other-scale": args.other_scale}
    if options := [option for option, there in said.items() if there]:
        hint = f"add --target {export.TARGET}, or leave it out"
        raise ConfigError("belongs to --target", where=options[0], hint=hint)
    export.refuse_settings(source.experiment)
    path, made = export_physical(source, folder, args.format or "onnx")
    size = made.size_px
    sides = "any size" if size is None else f"{size[0]} x {size[1]} target pixels alone"
    print(f"takes images of {sides}, in physical values")
    print(f"equal to the generator within {made.measured['parity_share']:.1e} of a band's range")
    return path


def describe(source: Source, path: Path, zoo: Path | None) -> None:
    """Write what tells people and catalogues of an export, and enter it in a zoo."""
    experiment = source.experiment
    place = experiment.environment.evaluation_dir
    card, item, said = write_companions(path, experiment.contract, source.run, place)
    print(f"wrote {path}, {said.model}, {card.name} and {item.name}")
    if zoo is not None:
        name = name_of(experiment.name)
        enter(zoo, name, path, title=title_of(said), form=said.form)
        print(f"entered as '{name}' in {zoo / LIST}")


def main(args: argparse.Namespace) -> int:
    """Check everything cheap first, then export."""
    environment = load_environment(args.environment)
    stamp = check_timestamp(args.timestamp) if args.timestamp else None
    run = find_run(find_experiment(args.exp, environment), stamp)
    experiment = Experiment(args.exp, environment, timestamp=run.timestamp, as_run=True)
    at = chosen_step(run, args.step, experiment.contract)
    if baseline_of(run, experiment.contract) is not None:
        hint = "predict.py applies it as it is"
        if args.target is not None:
            hint = f"{args.target} makes the bicubic enlargement itself (--bicubic)"
        raise InputError("a baseline is no network to export", where=args.exp, hint=hint)
    name, root = experiment.config.model_name, environment.models_root
    check_by_name(name, root)
    refuse_other_data(experiment)
    if args.zoo is not None:
        refuse_taken(args.zoo, name_of(experiment.name), experiment.name)
    folder = args.zoo or args.out or experiment.exp_dir / "export"
    find = partial(find_gan_class, name, root, print, experiment.config.modules)
    made = for_all if args.target is None else for_tool
    source = Source(experiment, run, find, at)
    describe(source, made(args, source, folder), args.zoo)
    return 0


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
