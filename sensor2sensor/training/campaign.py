"""What ``train.py`` does where it is asked for several trainings; free of TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.config.layers import name_of
from sensor2sensor.config.places import find_experiment
from sensor2sensor.core.cli import EXIT_DONE
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.training.chain import Chain, is_trial, refuse_of_one, split_of
from sensor2sensor.training.jobs import Job, Jobs
from sensor2sensor.training.standing import (
    Alike,
    Aside,
    View,
    claimed,
    released,
    reserved,
    standing,
)
from sensor2sensor.training.sweep_table import lines_of, table, unlike

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.training.standing import Standing

Say = Callable[[str], None]
Here = Callable[[argparse.Namespace], int]


class Campaign:
    """Several trainings of one call.

    Args:
        args: The command line of ``train.py``.
        jobs: What it asks for.
        environment: Machine settings.
        view_of: The experiment of a job as it is asked for.
        alike_of: For a job, whether a run has its settings and the model's own defaults.
        aside: The process that is asked for that.
        say: Takes lines.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        jobs: Jobs,
        environment: Environment,
        view_of: Callable[[Job], View],
        alike_of: Callable[[Job], Alike],
        aside: Aside,
        say: Say = print,
    ) -> None:
        self.args, self.jobs, self.environment = args, jobs, environment
        self._view_of, self._alike_of, self._aside = view_of, alike_of, aside
        self._say = say

    def run(self, door: Path, here: Here) -> int:
        """Train what is not finished, each in a process of its own; returns the exit code.

        Args:
            door: The file ``train.py``.
            here: Trains one run in this process, for ``--only``.

        Raises:
            Sensor2SensorError: Something that is asked for cannot be used; nothing was begun.
        """
        refuse_of_one(self.args, self.jobs)
        if self.args.only is not None:
            return self._only(self.args.only, here)
        asked = self._standing, self._standing_alone, self._folder
        chain = Chain(self.jobs, self.args, door, *asked, self._say)
        self._look(chain)
        if self.args.list:
            for line in chain.listed():
                self._say(line)
            return EXIT_DONE
        trial = is_trial(self.args)
        if self.jobs.swept and not trial:
            metrics = {job.exp: self._monitored(job) for job in self.jobs.jobs}
            if (refused := chain.rehearsed()) != EXIT_DONE:
                return refused
        code = chain.run()
        if self.jobs.swept and not trial:
            self._look(chain)
            for exp, metric in metrics.items():
                own = [result for result in chain.results if result.job.exp == exp]
                apart = unlike(own, self.jobs.swept)
                table(exp, lines_of(own, metric), metric, self._say, apart)
        elif not trial and any(job.seed is not None for job in self.jobs.jobs):
            self._say("seeds of one experiment stand as one entry in `s2s report`")
        return code

    def _only(self, number: int, here: Here) -> int:
        """Train one job in this process, so that a queue's signal meets it and nothing between."""
        jobs = self.jobs.jobs
        if number >= len(jobs):
            problem = f"--only {number}: there are {len(jobs)} trainings, 0 to {len(jobs) - 1}"
            raise InputError(problem, hint="--list shows them with their numbers")
        job = jobs[number]
        if job.fault is not None:
            raise InputError(job.fault)
        own = {**vars(self.args), "exp": job.exp, "set": [*self.args.set, *job.options]}
        own |= {"split": split_of(self.args)}
        head = f"== {number} of 0 to {len(jobs) - 1}: {job.label}"
        if is_trial(self.args):
            self._say(head)
            return here(argparse.Namespace(**own))
        folder = self._folder(job.exp)
        with claimed(folder, own["set"]):
            known = self._standing_alone(job)
            self._say(f"{head}, {known}")
            if known.finished:
                return EXIT_DONE
            run = known.run or Run(folder, reserved(folder, datetime.now()))
            own |= {"timestamp": run.timestamp, "resume": known.run is not None}
            try:
                return here(argparse.Namespace(**own))
            finally:
                released(run)

    def _look(self, chain: Chain) -> None:
        """Find out how far each job has come; the process that was asked ends before trainings."""
        try:
            chain.look()
        finally:
            self._aside.close()

    def _standing(self, job: Job) -> Standing:
        places = self.environment.evaluation_dir, split_of(self.args)
        asked = self._view_of(job), self._alike_of(job)
        return standing(*asked, *places, [name_of(text) for text in job.point], self._say)

    def _standing_alone(self, job: Job) -> Standing:
        try:
            return self._standing(job)
        finally:
            self._aside.close()

    def _folder(self, exp: str) -> Path:
        return find_experiment(exp, self.environment)

    def _monitored(self, job: Job) -> str:
        """The metric that a sweep compares by.

        Raises:
            InputError: The experiment monitors none.
        """
        experiment = self._view_of(job)(None, None)
        if experiment.config.monitor is None:
            raise InputError(
                "--sweep compares by the best validation, and monitor names no metric",
                where=experiment.exp_dir / "experiment.json",
                hint="as in --set monitor.metric=l1",
            )
        return str(experiment.config.monitor.metric)
