"""What ``train.py`` composes where one call asks for several trainings; imported by that door."""

from __future__ import annotations

import argparse
from functools import partial

from experiment import Experiment
from models.loading import find_gan_class
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.training.campaign import Campaign
from sensor2sensor.training.jobs import Job, jobs_of
from sensor2sensor.training.standing import Alike, Aside, View, silent, unchanged


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
