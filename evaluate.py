"""Score a trained run on the test split, beside the baselines, and write _evaluation/.

  python evaluate.py --exp sis2/s3/l1loss                        # the latest run
  python evaluate.py --exp sis2/s3/l1loss --timestamp 0715-0930
  python evaluate.py --exp sis2/s3/l1loss --profile arisgan      # the published conventions
  python evaluate.py --exp clouds/carl --profile dsen2cr         # below clouds and beside them
  python evaluate.py --exp sis2/s3/l1loss --split val            # while a recipe is being chosen
  python evaluate.py --exp maps/t7 --set inference.dropout=true --set inference.norm=batch --draws 4
  python evaluate.py --exp sis2/s3/l1loss --step best            # the best validation's checkpoint
  python evaluate.py --exp sis2/s3/l1loss --dataset cur_arctic   # on ground of another data set

Writes a row per tile and method to _evaluation/sis2__s3__l1loss_<timestamp>.csv, a .json with what
the numbers mean, and pictures of the best, median and worst tile. summary_eval.ipynb compares them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from experiment import Experiment
from models.loading import check_by_name
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.places import find_experiment
from sensor2sensor.config.vocabulary import PROFILES
from sensor2sensor.core.cli import add_set, add_split, main_guard, parser, positive
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run, check_timestamp, find_run
from sensor2sensor.evaluation.elsewhere import Elsewhere, add_data
from sensor2sensor.evaluation.parts import parts_of
from sensor2sensor.training.baseline import baseline_of
from sensor2sensor.training.steps import add_step, chosen_step

if TYPE_CHECKING:
    from sensor2sensor.evaluation.run import Evaluation


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="evaluate.py")
    made.add_argument("--exp", required=True, help="experiment below experiment_root: a/b/c")
    made.add_argument("--timestamp", metavar="MMDD-hhmm", help="run to score (default: the latest)")
    made.add_argument(
        "--profile", choices=PROFILES,
        help="metric conventions (default: standard; arisgan where normalisation is l2)",
    )  # fmt: skip
    may_be_set = ["batch_size", "inference.dropout", "inference.norm"]
    about = ("a setting of the evaluation alone", "batch_size=4", may_be_set)
    add_set(made, *about, ExperimentFile.model_fields)
    made.add_argument("--draws", type=positive, metavar="N", help="of dropout: score the mean of N")
    add_split(made)
    add_data(made)
    add_step(made)
    return made


def evaluate_run(
    experiment: Experiment,
    run: Run,
    gan: Any = None,
    *,
    profile: str | None = None,
    split: str = "test",
    at: int | None = None,
    options: Sequence[str] = (),
    draws: int | None = None,
    elsewhere: Elsewhere | None = None,
    team: Any = None,
) -> Evaluation:
    """Score one run on a whole split, print the tables, write the files.

    Args:
        experiment: The experiment of the run.
        run: The run whose checkpoint is scored, or whose baseline.
        gan: A model already built; its generator's weights are restored from the checkpoint, too.
        profile: Metric conventions; by default ``standard``, or ``arisgan`` for an experiment whose
            normalisation (l2) cannot be undone, which no other profile can score.
        split: ``test``, or ``val`` while something is still chosen by the scores.
        at: The checkpoint's step, which the files then name; the newest by default.
        options: What ``--set`` said of the evaluation, to be noted.
        draws: How many draws of dropout a score is the mean of.
        elsewhere: Another data set to score it on.
        team: Makes of experiment and model the processes that score a share each.

    Raises:
        CheckpointError: The weights were not restored; nothing is scored then.
        ConfigError: The data set was built anew since the run began.
    """
    load_tensorflow()
    from calibrate import section_of
    from models.loading import find_gan_class, import_modules
    from sensor2sensor.evaluation.session import Session
    from sensor2sensor.training.applied import applied_predictor, undrawn
    from sensor2sensor.training.averages import weights_in_use
    from sensor2sensor.training.run_file import refuse_other_data
    from sensor2sensor.training.trained import trained

    refuse_other_data(experiment)
    config, root = experiment.config, experiment.environment.models_root
    if (known := baseline_of(run, experiment.contract)) is not None:
        import_modules(config.modules, root)  # metrics of the user's
        scored = (experiment, run.timestamp, 0, profile or "standard", "none", split)
        held = section_of((experiment, run, None), None, split, draws, elsewhere)
        about = {"baseline": True, "options": options, "elsewhere": elsewhere, "intervals": held}
        return Session(*scored, **about).score(undrawn(known, draws))
    named = config.model_name, root, print, config.modules
    gan_class = type(gan) if gan is not None else find_gan_class(*named)
    experiment, gan, step = trained(experiment, run, gan_class, gan, at)
    chosen = profile or experiment.config.usual_profile
    scored = (experiment, run.timestamp, step, chosen, weights_in_use(gan), split)
    judge, helpers = gan.discriminator, team and team(experiment, gan)
    predictor = applied_predictor(experiment, gan.generator, draws, discriminator=judge)
    held = section_of((experiment, run, step), gan, split, draws, elsewhere)
    about = {"named_step": at, "options": options, "elsewhere": elsewhere, "intervals": held}
    return Session(*scored, **about, helpers=helpers).score(predictor)


def main(args: argparse.Namespace) -> int:
    """Check everything cheap first, then score."""
    environment = load_environment(args.environment)
    stamp = check_timestamp(args.timestamp) if args.timestamp else None
    folder = find_experiment(args.exp, environment)
    try:
        run = find_run(folder, stamp)
    except InputError:
        load_experiment_file(folder / "experiment.json")  # a bad key may be why there is no run
        raise
    stamp = run.timestamp
    experiment = Experiment(args.exp, environment, timestamp=stamp, as_run=True, options=args.set)
    at = chosen_step(run, args.step, experiment.contract)
    if baseline_of(run, experiment.contract) is None:
        check_by_name(experiment.config.model_name, environment.models_root)
    other = None if args.dataset is None else Elsewhere.of(experiment, args.dataset, args.split)
    if args.profile is not None:
        parts_of((other or experiment).contract, args.profile)  # refuses what it cannot score
    chosen = {"profile": args.profile, "split": args.split, "at": at, "draws": args.draws}
    evaluate_run(experiment, run, options=args.set, elsewhere=other, **chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
