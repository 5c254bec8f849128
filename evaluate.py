"""Score a trained run on the test split, beside the baselines, and write _evaluation/.

  python evaluate.py --exp sis2/s3/l1loss                        # the latest run
  python evaluate.py --exp sis2/s3/l1loss --timestamp 0715-0930
  python evaluate.py --exp sis2/s3/l1loss --profile arisgan      # the published conventions

Writes a row per tile and method to _evaluation/sis2__s3__l1loss_<timestamp>.csv, a .json with what
the numbers mean, and pictures of the best, median and worst tile. summary_eval.ipynb compares them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import Experiment, find_experiment
from models.loading import check_by_name
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.vocabulary import PROFILES
from sensor2sensor.core.cli import main_guard, parser
from sensor2sensor.core.runs import Run, check_timestamp, find_run

if TYPE_CHECKING:
    from sensor2sensor.evaluation.run import Evaluation


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="evaluate.py")
    made.add_argument("--exp", required=True, help="experiment below experiment_root: a/b/c")
    made.add_argument("--timestamp", metavar="MMDD-hhmm", help="run to score (default: the latest)")
    made.add_argument(
        "--profile",
        choices=PROFILES,
        help="metric conventions (default: standard; arisgan where normalisation is l2)",
    )
    return made


def evaluate_run(
    experiment: Experiment, run: Run, gan: Any = None, *, profile: str | None = None
) -> Evaluation:
    """Score one run on the whole test split, print the tables, write the files.

    Args:
        experiment: The experiment of the run.
        run: The run whose newest checkpoint is scored.
        gan: A model already built; its generator's weights are restored from the checkpoint, too.
        profile: Metric conventions; by default ``standard``, or ``arisgan`` for an experiment whose
            normalisation (l2) cannot be undone, which no other profile can score.

    Raises:
        CheckpointError: The weights were not restored; nothing is scored then.
        ConfigError: The experiment or its data set changed since the run began.
    """
    from sensor2sensor.training.record import refuse_changed

    refuse_changed(experiment)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors still arrive as exceptions
    from models.loading import load_gan_class
    from sensor2sensor.evaluation.session import Session
    from sensor2sensor.training.averages import weights_in_use
    from sensor2sensor.training.checkpoints import restore_for_inference
    from sensor2sensor.training.layer_statistics import at_inference
    from sensor2sensor.training.recipe import construct

    if gan is None:
        name, root = experiment.config.model_name, experiment.environment.models_root
        gan = construct(load_gan_class(name, root), experiment)
    kind = experiment.config.inference_statistics
    step = restore_for_inference(
        gan, run, kind=kind, batches=lambda: _training_tiles(experiment), say=print
    )
    chosen = profile or ("arisgan" if experiment.NORMALISATION == "l2" else "standard")
    session = Session(experiment, run.timestamp, step, chosen, weights_in_use(gan))
    return session.score(at_inference(gan.generator, kind))


def _training_tiles(experiment: Experiment) -> Any:
    """Batches for the statistics of a checkpoint from before these were kept."""
    from sensor2sensor.pipeline.normalisation import Normalisation
    from sensor2sensor.training.layer_statistics import statistics_batches
    from sensor2sensor.training.run import reader_options

    return statistics_batches(
        experiment,
        Normalisation(experiment.NORMALISATION, experiment.contract),
        reader_options(experiment, experiment.environment),
    )


def main(args: argparse.Namespace) -> int:
    """Check everything cheap first, then score."""
    environment = load_environment(args.environment)
    stamp = check_timestamp(args.timestamp) if args.timestamp else None
    folder = find_experiment(args.exp, environment)
    load_experiment_file(folder / "experiment.json")  # a bad key comes before a missing run
    run = find_run(folder, stamp)
    experiment = Experiment(args.exp, environment, timestamp=run.timestamp)
    check_by_name(experiment.config.model_name, environment.models_root)
    evaluate_run(experiment, run, profile=args.profile)
    return 0


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
