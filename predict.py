"""Apply a trained generator, or a baseline, to a whole product, and write a GeoTIFF.

  python predict.py --exp sis2/s3/l1loss --product S3A_OL_1_EFR____….SEN3 --tile T17XNA
  python predict.py --exp alt/edsr --product S2B_MSIL2A_….SAFE --preview --out edsr.tif
  python predict.py --exp clouds/carl --product ROIs1970_fall_s2_cloudy_139_p839.tif --step best
  python predict.py --exp aerial/t1 --product masks/ --out forged/ --as-dataset
  python predict.py --exp maps/t7 --set inference.dropout=true --samples 8 --product map.png

What is predicted has the bands, units and pixels of the experiment's data set; the result is a
Cloud-Optimised GeoTIFF with a .json of where it comes from. A run that was killed goes on where it
was. s2s predict does the same with a file of export.py, without TensorFlow.
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
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.places import find_experiment
from sensor2sensor.core.cli import add_set, main_guard, parser, positive
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run, check_timestamp, find_run
from sensor2sensor.inference.command import add_arguments, predict_all
from sensor2sensor.inference.intervals import bounded
from sensor2sensor.inference.method import Method, at_once, refuse_unlike
from sensor2sensor.predictors.interval_words import calibrate_command
from sensor2sensor.predictors.tiling import baseline_tiling, known_window, widest
from sensor2sensor.training.baseline import baseline_of, refuse_draws
from sensor2sensor.training.run_file import refuse_other_data
from sensor2sensor.training.steps import add_step, chosen_step

Member = tuple[Experiment, Run, int | None]


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = add_members(parser(__doc__ or "", prog="predict.py"))
    add_arguments(made)
    return made


def add_members(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that say what predicts; calibrate.py has them, too."""
    add = made.add_argument
    add(
        "--exp", required=True, nargs="+", metavar="EXP",
        help="experiment below experiment_root: a/b/c; of several the mean and spread is written",
    )  # fmt: skip
    add(
        "--timestamp", nargs="+", default=[None], metavar="MMDD-hhmm",
        help="run to apply (default: the latest); several: mean and spread",
    )  # fmt: skip
    add_step(made)
    about = ("a setting of the prediction alone", "inference.dropout=true")
    add_set(made, *about, ["inference.dropout", "inference.norm"], ExperimentFile.model_fields)
    about_draws = "draws of dropout: mean and spread"
    add("--samples", type=positive, default=1, metavar="N", help=about_draws)
    return made


def members_of(args: argparse.Namespace) -> list[Member]:
    """Experiments as their runs have them, each with the step that is asked for; cheap.

    Raises:
        ConfigError: They do not take and make the same.
    """
    environment = load_environment(args.environment)
    stamps = [check_timestamp(stamp) if stamp else None for stamp in args.timestamp]
    members: list[Member] = []
    for exp in dict.fromkeys(args.exp):
        for stamp in dict.fromkeys(stamps):
            run = find_run(find_experiment(exp, environment), stamp)
            own = {"timestamp": run.timestamp, "as_run": True, "options": args.set}
            experiment = Experiment(exp, environment, **own)
            refuse_other_data(experiment)
            members.append((experiment, run, chosen_step(run, args.step, experiment.contract)))
            if baseline_of(run, experiment.contract) is None:
                check_by_name(experiment.config.model_name, environment.models_root)
            else:
                refuse_draws(exp, args.set, args.samples, len(args.exp) * len(stamps))
    refuse_unlike([(experiment.name, experiment.form) for experiment, _, _ in members])
    return members


def method_of(members: list[Member], samples: int, batch: int | None, gan: Any = None) -> Method:
    """What predicts, its weights restored.

    Args:
        members: Of :func:`members_of`.
        samples: Draws of dropout.
        batch: Windows at once; None: as many as in training; with a halo, much larger, one.
        gan: The model of a single member, where it is built already.

    Raises:
        CheckpointError: Weights were not restored.
        ConfigError: Draws are asked for of what draws nothing.
    """
    experiment, run, _ = members[0]
    if samples > 1 and not experiment.config.inference.dropout:
        hint = "a model with layers of dropout keeps it by --set inference.dropout=true"
        raise ConfigError("without dropout every draw is the same", where="--samples", hint=hint)
    form, name = experiment.form, experiment.config.model_name
    if (known := baseline_of(run, experiment.contract)) is not None:
        said = {"experiment": experiment.name, "run": run.timestamp, "baseline": known.describe()}
        tiling = getattr(known, "tiling", None) or baseline_tiling(name, form)  # of a published one
        return Method(name, [known], form, tiling, batch or 1, said)
    load_tensorflow()
    from sensor2sensor.training.prediction import led

    predictors, tilings, told = [], [], []
    for one, its_run, at in members:
        names = one.config.model_name, one.environment.models_root, print, one.config.modules
        gan_class = find_gan_class(*names) if gan is None else type(gan)
        made = led(one, its_run, gan_class, at, samples, gan)
        predictors += made.predictors
        tilings.append(made.tiling)
        told.append(made.provenance)
    said, tiling = told[0] if len(told) == 1 else {"members": told}, widest(tilings)
    size = batch or (experiment.BATCH_SIZE if tiling.halo_px is None else 1)
    return Method(name, predictors, form, tiling, size, at_once(said, size))


def main(args: argparse.Namespace) -> int:
    """Check everything cheap first, then predict."""
    members = members_of(args)
    experiment = members[0][0]
    trained = [one for one, run, _ in members if baseline_of(run, one.contract) is None]

    def make() -> Method:
        made = method_of(members, args.samples, args.batch)
        return bounded(made, members, calibrate_command(args)) if args.intervals else made

    return predict_all(
        experiment.form, experiment.config.model_name, args, make,
        experiment.exp_dir / "predictions", window=known_window(trained),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
