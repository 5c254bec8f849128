"""Several trainings one after the other, each in a process of its own that gives all memory back.

A signal goes on to the training that runs, which saves and ends, and the chain ends with it. Called
again, a chain goes on where it stopped: what is finished is skipped, what was begun is resumed.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType

from sensor2sensor.core.cli import EXIT_BAD_INPUT, EXIT_DONE, EXIT_SOME_FAILED
from sensor2sensor.core.errors import InputError, Sensor2SensorError
from sensor2sensor.core.locks import InUseError, holder
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.training.jobs import Job, Jobs
from sensor2sensor.training.standing import Standing, claimed, released, reserved
from sensor2sensor.training.time_limit import EXIT_TIME_UP, SIGNALS

Say = Callable[[str], None]
# All of them: a training in a session of its own is not told that the terminal is closed.
STOPPED = frozenset({EXIT_TIME_UP, *(128 + number for number in SIGNALS)})
# Options of train.py: those that each training is given too, and those that name one run alone.
PASSED_ON = ("environment", "debug", "log_level", "check", "smoke", "overfit", "tag")
OF_ONE = ("timestamp", "restore", "fork", "at")


@dataclass
class Result:
    """What became of a job.

    Attributes:
        job: The job.
        standing: What there is of it.
        code: Exit code of its process; None: none was started.
        fault: Why it failed; None: it did not.
        elsewhere: Who trains it now; None: nobody else.
    """

    job: Job
    standing: Standing = field(default_factory=Standing)
    code: int | None = None
    fault: str | None = None
    elsewhere: str | None = None


def refuse_of_one(args: argparse.Namespace, jobs: Jobs) -> None:
    """Refuse options that name one run where several trainings are asked for.

    Raises:
        InputError: One of them is given.
    """
    named = next((name for name in OF_ONE if getattr(args, name) is not None), None)
    if named is not None:
        first = jobs.jobs[0]
        own = "".join(f" --set {text}" for text in first.options)
        count = len(jobs.jobs)
        what = "this is a training of several" if count == 1 else f"these are {count} trainings"
        problem = f"--{named} names one run, and {what}"
        raise InputError(problem, hint=f"name one of them, as --exp {first.exp}{own}")


class Chain:
    """The jobs of one call.

    Args:
        jobs: What is asked for.
        args: The command line.
        door: The file ``train.py``.
        standing_of: How far a job has come.
        again: The same, asked between trainings: nothing that it takes stays behind.
        folder_of: The folder of an experiment, by its name.
        say: Takes lines.
    """

    def __init__(
        self,
        jobs: Jobs,
        args: argparse.Namespace,
        door: Path,
        standing_of: Callable[[Job], Standing],
        again: Callable[[Job], Standing],
        folder_of: Callable[[str], Path],
        say: Say,
    ) -> None:
        self.jobs, self.args, self.door = jobs, args, door
        self._standing_of, self._again = standing_of, again
        self._folder_of, self._say = folder_of, say
        self._signal: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        minutes = args.max_minutes
        self._end = None if minutes is None else time.monotonic() + 60 * minutes
        self.results = [Result(job, fault=job.fault) for job in jobs.jobs]

    def look(self) -> None:
        """Find out how far each has come; of one that cannot be used why.

        Raises:
            Sensor2SensorError: A value of the sweep, or the one experiment, cannot be used.
        """
        wild = len({result.job.exp for result in self.results}) > 1
        for result in self.results:
            if result.fault is not None:
                continue
            try:
                result.standing = self._standing_of(result.job)
            except (Sensor2SensorError, OSError) as error:
                if self.jobs.swept or not wild:
                    raise
                result.fault = str(error)

    def listed(self) -> list[str]:
        """A line for each job: its number, its name, how far it has come."""
        width = max(len(result.job.label) for result in self.results)
        return [
            f"{number:3}  {result.job.label:{width}}  {_in_words(result)}"
            for number, result in enumerate(self.results)
        ]

    def rehearsed(self) -> int:
        """0 where ``--check`` passes each job that has not begun, 2 where not, 124 without time.

        A value that the model alone can judge would else be refused after hours of the others.
        """
        new = [r for r in self.results if r.standing.run is None and r.fault is None]
        for number, result in enumerate(new):
            if (stopped := self._before_next()) is not None:
                self._say(f"== {number} of {len(new)} values checked, then the time was up")
                return stopped
            command = [sys.executable, str(self.door), *self._words(result.job), "--check"]
            # What goes wrong stands on the other stream.
            done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603
            if done.returncode != EXIT_DONE:
                result.fault = f"--check says no (exit code {done.returncode})"
                self._say(f"== {result.job.label}: {result.fault}")
        wrong = [result for result in new if result.fault is not None]
        self._say(f"== {len(new) - len(wrong)} of {len(new)} values checked are in order")
        return EXIT_BAD_INPUT if wrong else EXIT_DONE

    def run(self) -> int:
        """Train what is not finished; returns the exit code of the whole."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        for number in SIGNALS:
            if before[number] is not signal.SIG_IGN:  # of nohup
                signal.signal(number, self._forward)
        try:
            stopped = self._each()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._told(stopped)

    def _each(self) -> int | None:
        """Run one job after the other; the exit code of what ended the chain early, or None."""
        trial = is_trial(self.args)
        total = len(self.results)
        for number, result in enumerate(self.results, start=1):
            if result.fault is not None or (result.standing.finished and not trial):
                self._say(f"== {number}/{total} {result.job.label}: {_in_words(result)}")
                continue
            if (stopped := self._before_next()) is not None:
                return stopped
            head = f"{number}/{total} {result.job.label}"
            code = self._train(head, result) if trial else self._alone(head, result)
            if code in STOPPED:
                return code
            if self._signal is not None:  # at the last step: the training is done, the chain stops
                return 128 + self._signal
        return None

    def _before_next(self) -> int | None:
        if self._signal is not None:
            return 128 + self._signal
        return EXIT_TIME_UP if self._end is not None and time.monotonic() >= self._end else None

    def _alone(self, head: str, result: Result) -> int | None:
        """Train a job that nobody else trains or has trained meanwhile; None where somebody has."""
        try:
            folder = self._folder_of(result.job.exp)
            with claimed(folder, (*self.args.set, *result.job.options)):
                result.standing = self._again(result.job)
                known = result.standing.run
                if result.standing.finished:
                    self._say(f"== {head}: {result.standing}")
                    return None
                if known is not None and (process := holder(known.lock)) is not None:
                    raise InUseError(f"in use by {process}")
                run = known or Run(folder, reserved(folder, datetime.now()))
                try:
                    return self._train(head, result, run)
                finally:
                    released(run)
        except InUseError as error:
            result.elsewhere = str(error.what)
            self._say(f"== {head}: {result.elsewhere}, which trains it; the next goes on")
        except (Sensor2SensorError, OSError) as error:
            result.fault = str(error)
            self._say(f"== {head}: failed ({result.fault}); the next goes on")
        return None

    def _train(self, head: str, result: Result, run: Run | None = None) -> int:
        """One job in a process of its own, or a trial of it; its exit code as a shell tells it."""
        self._say(f"== {head}: {_beginning(result, run is None)}")
        resumed = run is not None and result.standing.run is not None
        words = [] if run is None else ["--timestamp", run.timestamp]
        words += ["--resume"] if resumed else []
        command = [sys.executable, str(self.door), *self._words(result.job), *words]
        sys.stdout.flush()
        # A session of its own: Ctrl-C comes from here alone, once.
        self._child = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own door
        if self._signal is not None:  # while it was being started
            self._child.send_signal(self._signal)
        code = self._child.wait()
        self._child = None
        result.code = 128 - code if code < 0 else code
        if result.code not in STOPPED and result.code != EXIT_DONE:
            result.fault = _fault(run, result.code)
            self._say(f"== {result.job.label}: failed ({result.fault}); the next goes on")
        return result.code

    def _words(self, job: Job) -> list[str]:
        """The words of the command that trains one job."""
        words = [f"--exp={job.exp}", "--split", split_of(self.args)]
        for name in PASSED_ON:
            value = getattr(self.args, name)
            option = f"--{name.replace('_', '-')}"
            if value is True:
                words.append(option)
            elif value not in (None, False):
                words.append(f"{option}={value}")  # which may begin with a hyphen
        for text in (*self.args.set, *job.options):
            words.append(f"--set={text}")
        if self._end is not None:
            words += ["--max-minutes", f"{max(self._end - time.monotonic(), 1) / 60:.4f}"]
        return words

    def _forward(self, number: int, frame: FrameType | None) -> None:
        self._signal = number
        if self._child is not None:
            self._child.send_signal(number)

    def _told(self, stopped: int | None) -> int:
        """Say what came of all; returns the exit code."""
        failed = [result for result in self.results if result.fault is not None]
        done = [result for result in self.results if result.code == EXIT_DONE]
        before = [r for r in self.results if r.standing.finished and r.code is None and not r.fault]
        left = [r for r in self.results if r not in (*failed, *done, *before)]
        what = "tried" if is_trial(self.args) else "trained"
        counts = [f"{len(done)} {what}", f"{len(before)} finished before", f"{len(failed)} failed"]
        self._say(f"== {', '.join(counts)}{f', {len(left)} left' if left else ''}")
        for result in failed:
            self._say(f"  failed: {result.job.label}: {result.fault}")
        for result in left:
            told = f": {result.elsewhere}" if result.elsewhere else ""
            self._say(f"  left: {result.job.label}{told}")
        if stopped is not None:
            self._say("the same command goes on from here")
            return stopped
        return EXIT_SOME_FAILED if failed or left else EXIT_DONE


def is_trial(args: argparse.Namespace) -> bool:
    """Whether nothing of the trainings is kept, so that none is finished either."""
    return bool(args.check or args.smoke or args.overfit)


def split_of(args: argparse.Namespace) -> str:
    """The split that runs are scored on: a sweep chooses, and who chooses does not look at test."""
    return "val" if args.sweep else str(args.split)


def _in_words(result: Result) -> str:
    if result.fault is not None:
        return f"cannot be trained: {result.fault.splitlines()[0]}"
    return str(result.standing)


def _beginning(result: Result, trial: bool) -> str:
    if trial or result.standing.run is None:
        return "begins"
    return f"goes on ({result.standing.run.timestamp}, step {result.standing.step})"


def _fault(run: Run | None, code: int) -> str:
    """Why a training failed: what its run.json says, or its exit code."""
    if code - 128 in signal.valid_signals():  # others are exit codes of a library's own
        return f"ended by {signal.Signals(code - 128).name}"
    if run is not None and run.run_json.is_file():
        with suppress(InputError):  # it may have been cut with its process
            record = read_run_json(run)
            if record.get("status") == "failed":
                return str(record.get("reason"))
    return f"exit code {code}, the reason stands above"
