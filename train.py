"""Train one experiment, then evaluate it.

  python train.py --exp sis2/s3/l1loss
  python train.py --exp sis2/s3/l1loss --resume             # continue the latest run in its folder
  python train.py --exp sis2/s3/l1loss --restore 0715-0930  # a new run from the state of that one
  python train.py --exp sis2/s3/l1loss --fork 0715-0930 --at best   # from its weights, from step 0
  python train.py --exp sis2/s3/l1loss --check              # validate everything, train nothing
  python train.py --exp sis2/s3/l1loss --set steps=500      # with another value than the file's
  python train.py --exp 'sis2/*/*'                          # one after the other, finished ones not
  python train.py --exp sis2/s3/l1loss --sweep gen_loss.gen_l1=10,25,50,100   # compared on val

In the background: mkdir -p nohup; nohup python train.py --exp sis2/s3/l1loss > nohup/l1loss.log &
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from evaluate import evaluate_run
from experiment import Experiment
from models import loading
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.config.experiment_file import located
from sensor2sensor.config.places import find_experiment
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.core.runs import Run
from sensor2sensor.training.arguments import arguments
from sensor2sensor.training.baseline import check_baseline, fit_baseline, try_metrics
from sensor2sensor.training.overfit import STEPS, for_trial, try_to_learn
from sensor2sensor.training.readiness import check_data, in_words
from sensor2sensor.training.start import (
    SMOKE_STEPS,
    Start,
    choose_start,
    find_pretrained,
    taken_up,
    throwaway,
    with_pretrained,
)
from sensor2sensor.training.time_limit import TimeLimit
from sensor2sensor.training.tracking import refuse_untracked
from several import campaign_of, evaluate_trained


def main(args: argparse.Namespace) -> int:
    """Check everything, train, evaluate."""
    args.limit = TimeLimit(args.max_minutes)
    campaign = campaign_of(args)
    return one(args) if campaign is None else campaign.run(Path(__file__), one)


def one(args: argparse.Namespace) -> int:
    """Train one experiment, or try it in folders that are thrown away."""
    environment = load_environment(args.environment)
    if not (args.smoke or args.overfit):
        return run(args, environment)
    every, steps = (STEPS, None) if args.overfit else (SMOKE_STEPS, SMOKE_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        trial = throwaway(environment, find_experiment(args.exp, environment), Path(folder), every)
        return run(for_trial(args) if args.overfit else args, trial, steps, home=environment)


def run(
    args: argparse.Namespace,
    environment: Environment,
    steps: int | None = None,
    home: Environment | None = None,
) -> int:
    """Train and evaluate in the folders of ``environment``; ``home`` has the other runs."""
    folder = find_experiment(args.exp, environment)
    timestamp, start = choose_start(
        folder, timestamp=args.timestamp, restore=args.restore, resume=args.resume,
        fork=args.fork, at=args.at, now=datetime.now(),
    )  # fmt: skip
    start = replace(start, tag=args.tag)
    kept = taken_up(Run(folder, timestamp), start, print)
    experiment = Experiment(args.exp, environment, timestamp=timestamp, options=args.set, kept=kept)
    name, root = experiment.config.model_name, environment.models_root
    with located(experiment.document):
        counts, notices = check_data(experiment)
        loading.find_modules(experiment.config.modules, root)
        if loading.is_baseline(name, root):
            return _fit(args, experiment, start)
        refuse_untracked(environment)
        loading.check_by_name(name, root)
        find = partial(find_pretrained, experiment, home or environment)
        start = with_pretrained(start, experiment, find)
        for line in notices:
            print(line)
        return _use(args, experiment, start, steps, counts)


def _fit(args: argparse.Namespace, experiment: Experiment, start: Start) -> int:
    """Make the run of a baseline, which is not trained, unless ``--check``; evaluate it."""
    for line in check_baseline(experiment, start):
        print(line)
    if modules := experiment.config.modules:
        load_tensorflow()
        loading.import_modules(modules, experiment.environment.models_root)
        try_metrics(experiment)
    if not args.check:
        load_tensorflow()
        fit_baseline(experiment, start)
        evaluate_run(experiment, experiment.run, split=args.split)
    return 0


def _use(
    args: argparse.Namespace, experiment: Experiment, start: Start, steps: int | None,
    counts: dict[str, int],
) -> int:  # fmt: skip
    """Construct the model, then stop (``--check``) or train and evaluate."""
    environment = experiment.environment
    load_tensorflow()
    from sensor2sensor.training.rehearsal import rehearse
    from sensor2sensor.training.run import train
    from sensor2sensor.training.strategy import choose_devices

    devices = choose_devices(environment, experiment.config, print)
    say = devices.said(print)
    name, modules = experiment.config.model_name, experiment.config.modules
    gan_class = loading.find_gan_class(name, environment.models_root, say, modules)
    experiment = experiment.suited_to(gan_class, say)
    if args.check:
        made = rehearse(gan_class, experiment, environment, start, say, devices)
        tiles = in_words(counts, experiment.config.sample_train)
        say(f"{experiment.name}: in order; {tiles}, {made}")
        return 0
    if args.overfit:
        return try_to_learn(gan_class, experiment, environment, start, args.limit, say)
    about = {"start": start, "steps": steps, "limit": args.limit, "say": say, "devices": devices}
    outcome = train(gan_class, experiment, environment, **about)
    with args.limit.interrupting(f"trained; evaluate.py --exp {args.exp} scores it"):
        evaluate_trained(experiment, outcome, devices, args.split)
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments(__doc__ or "")))
