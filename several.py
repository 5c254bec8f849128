"""What ``train.py`` composes of several trainings and processes; imported by that door alone."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from evaluate import evaluate_run
from experiment import Experiment
from models.loading import find_gan_class
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.training.campaign import Campaign
from sensor2sensor.training.jobs import Job, jobs_of
from sensor2sensor.training.standing import Alike, Aside, View, silent, unchanged

if TYPE_CHECKING:
    from sensor2sensor.training.outcome import Outcome
    from sensor2sensor.training.strategy import Devices


def evaluate_trained(
    experiment: Experiment, outcome: Outcome, devices: Devices, split: str
) -> None:
    """Evaluate what was trained to its end; of several processes each scores a share of the tiles.

    Raises:
        TrainingError: A process is gone, or could not score its share; nothing is written then.
    """
    from sensor2sensor.evaluation.shares import helped
    from sensor2sensor.training.helping import Team, help_out

    model, place = outcome.model, (experiment.dataset_dir, experiment.contract)
    with devices.guarded(experiment.name, f"then score it: evaluate.py --exp {experiment.name}"):
        if not devices.chief:
            help_out(devices, experiment, model, partial(helped, *place))
            return
        team = partial(Team, devices) if devices.workers > 1 else None
        with devices.parting():
            if outcome.exit_code == 0:
                evaluate_run(experiment, experiment.run, model, split=split, team=team)


def campaign_of(args: argparse.Namespace) -> Campaign | None:
    """The trainings that a command line asks for; None where that is one.

    Raises:
        InputError: There is no such experiment.
        ConfigErrors: A value of the sweep cannot be used.
    """
    environment = load_environment(args.environment)
    jobs = jobs_of(args.exp, environment, args.set, args.sweep)
    # Of seeds alone: a pattern and a sweep mean many, however few they are.
    one_of_them = args.resume and args.timestamp and not (jobs.wild or jobs.swept)
    whole = args.list or args.only is not None
    if not whole and (one_of_them or not jobs.several):
        return None
    aside = Aside()
    views = partial(_asked, args, environment), partial(_alike, args, aside)
    return Campaign(args, jobs, environment, *views, aside)


def _asked(args: argparse.Namespace, environment: Environment, job: Job) -> View:
    """The experiment of one of several trainings."""
    options = (*args.set, *job.options)
    return lambda timestamp, kept: Experiment(
        job.exp, environment, timestamp=timestamp, options=options, kept=kept
    )


def _alike(args: argparse.Namespace, aside: Aside, job: Job) -> Alike:
    """Whether a run has its settings; the model is asked in a process that gives memory back."""
    return partial(aside, _is_alike, args.environment, job.exp, (*args.set, *job.options))


def _is_alike(environment: str | None, exp: str, options: tuple[str, ...], timestamp: str) -> bool:
    settings = load_environment(environment)
    experiment = Experiment(exp, settings, timestamp=timestamp, options=options)
    load_tensorflow()
    named = experiment.config.model_name, settings.models_root, silent, experiment.config.modules
    return unchanged(experiment.suited_to(find_gan_class(*named), silent))
