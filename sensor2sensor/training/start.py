"""Which run folder a call of ``train.py`` uses, and from what state; free of TensorFlow."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sensor2sensor.config.environment import Environment
from sensor2sensor.config.jsonc import JsonDocument, Key
from sensor2sensor.config.layers import Kept, kept_by_run
from sensor2sensor.config.places import find_experiment
from sensor2sensor.config.validate import report
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigErrors, InputError, OutputExistsError
from sensor2sensor.core.runs import (
    TIMESTAMP,
    Run,
    check_timestamp,
    find_run,
    new_timestamp,
    options_of,
    read_run_json,
)
from sensor2sensor.dataset.ancestry import FORKED, PRETRAINED, inherited, trained_before
from sensor2sensor.dataset.calibration import KEY
from sensor2sensor.training.points import LAST, step_at

logger = logging.getLogger(__name__)
SMOKE_STEPS = 2
TAG = "tag"


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Attributes:
        resume: Continue the run's own folder.
        source: Begin with the state of this other run.
        pretrained: Begin with the weights of this other run's generator.
        fork: Begin with the weights of all networks of this other run.
        at: The step of the checkpoint of ``source`` or ``fork``; None: the newest.
        tag: What ``--tag`` calls the run; None: what it was called before, if anything.
    """

    resume: bool = False
    source: Run | None = None
    pretrained: Run | None = None
    fork: Run | None = None
    at: int | None = None
    tag: str | None = None

    def weights_of(self, run: Run) -> Run | None:
        """Whose weights ``run`` begins with, its own where it is resumed; None: new ones."""
        return run if self.resume else self.source or self.fork or self.pretrained


def tagged(run: Run, start: Start) -> dict[str, str]:
    """What ``run.json`` keeps of ``--tag``: now, or when the run began; nothing without one."""
    before = read_run_json(run).get(TAG) if run.run_json.is_file() else None
    tag = before if start.tag is None else start.tag
    return {} if tag is None else {TAG: tag}


def begun_with(run: Run, key: str = PRETRAINED) -> tuple[Run, dict[str, Any]] | None:
    """The run whose weights ``run`` began with, and what its ``run.json`` keeps of it, or None.

    That names one checkpoint, whatever ``pretrained_generator`` has come to mean since.

    Args:
        run: The run.
        key: Of ``run.json``: :data:`PRETRAINED` or :data:`FORKED`.
    """
    kept = read_run_json(run).get(key) if run.run_json.is_file() else None
    return None if kept is None else (Run(Path(kept["experiment"]), kept["timestamp"]), kept)


def begun_from(run: Run) -> tuple[Run, int] | None:
    """The run and the step whose state a run was begun with by ``--restore``, or None."""
    kept = read_run_json(run)["restored_from"] if run.run_json.is_file() else None
    # A resumed run notes itself.
    other = kept is not None and kept["timestamp"] != run.timestamp
    return (Run(run.exp_dir, kept["timestamp"]), kept["step"]) if kept and other else None


def with_pretrained(start: Start, experiment: Any, find: Callable[[], Run | None]) -> Start:
    """The start of a run with the generator it takes over; a resumed run has begun already.

    Args:
        start: Where the run begins.
        experiment: The experiment with the timestamp of the run.
        find: The run that ``pretrained_generator`` names, or None.

    Raises:
        InputError: The weights of two runs are asked for.
        ConfigErrors: That run looked at ground that is set aside here for calibration.
    """
    if start.resume and any(experiment.run.ckpt_dir.glob("ckpt-*.index")):
        return start
    if start.resume:
        if (forked := begun_with(experiment.run, FORKED)) is not None:
            return replace(start, fork=forked[0])
        if (begun := begun_with(experiment.run)) is not None:
            return replace(start, pretrained=begun[0])
    found = find()
    asked = {"--restore": start.source, "--fork": start.fork, PRETRAINED: found}
    given = {by: run for by, run in asked.items() if run is not None}
    if len(given) > 1:
        option = next(iter(given))
        held = "a whole state" if start.source else "the weights of all networks"
        problem = f"{option} begins with {held}, pretrained_generator with those of a generator"
        hint = f"use one: --set {PRETRAINED}=null drops that of the file"
        raise InputError(problem, where=experiment.exp_dir / "experiment.json", hint=hint)
    for by, run in given.items():
        _refuse_seen(experiment, run, by)
    return replace(start, pretrained=found)


def _refuse_seen(experiment: Any, begun: Run, by: str) -> None:
    """Refuse weights that looked at blocks set aside for calibration, and tell of test.

    Raises:
        ConfigErrors: They did, or a run that they come from.
    """
    found = inherited(experiment, [begun])
    if found.seen:
        text = (
            f"does not go with {by}: {found.seen}; train that recipe with the same key on the same"
            " data set, or leave this key out"
        )
        raise ConfigErrors(report(experiment.document, {(KEY,): [text]}))
    if found.unknown:
        logger.warning("%s: intervals will be uncalibrated: %s", KEY, found.unknown)
    place = experiment.dataset_dir, experiment.contract
    for line in trained_before(experiment, [begun], place, "test"):
        logger.warning("%s", line)


def find_pretrained(experiment: Any, environment: Environment) -> Run | None:
    """The run that ``pretrained_generator`` names, or the latest of the experiment it names.

    Args:
        experiment: The experiment.
        environment: Where the other experiment lies; not always the experiment's own.

    Raises:
        ConfigErrors: There is no such run, or it has no checkpoint.
    """
    named = experiment.config.pretrained_generator
    if named is None:
        return None
    return named_run(named, ("pretrained_generator",), experiment.document, environment)


def named_run(named: str, key: Key, document: JsonDocument, environment: Environment) -> Run:
    """The run ``a/b/c/MMDD-hhmm``, or the latest of experiment ``a/b/c``, that a key names.

    Args:
        named: What the key says.
        key: The key, for the message.
        document: The text that it stands in.
        environment: Where the other experiment lies.

    Raises:
        ConfigErrors: There is no such run, or it has no checkpoint.
    """
    above, _, last = named.strip("/").rpartition("/")
    exp, stamp = (above, last) if TIMESTAMP.fullmatch(last) else (named, None)
    try:
        run = find_run(find_experiment(exp, environment), stamp)
        if not any(run.ckpt_dir.glob("ckpt-*.index")):
            raise InputError("no checkpoint", where=run.ckpt_dir, hint="name another run")
    except InputError as error:
        raise ConfigErrors(report(document, {key: [str(error)]})) from error
    return run


def choose_start(
    exp_dir: Path,
    *,
    timestamp: str | None,
    restore: str | None,
    resume: bool,
    now: datetime,
    fork: str | None = None,
    at: str | int | None = None,
) -> tuple[str, Start]:
    """Read ``--timestamp``, ``--restore``, ``--fork``, ``--at`` and ``--resume``.

    Args:
        exp_dir: The experiment's folder.
        timestamp: Name for the run, or which one to resume.
        restore: The run whose state a new run begins with.
        resume: Continue the named or the latest run in its folder.
        now: Local time, for the name of a new run.
        fork: The run whose weights a new run begins with.
        at: The point of that run, as :func:`points.point` gives it.

    Returns:
        The run's timestamp and where it begins.

    Raises:
        InputError: No such run, a timestamp of another form, or options that exclude each other.
        CheckpointError: The run has no checkpoint at that point.
        OutputExistsError: A new run would start over existing checkpoints.
    """
    _refuse_together(restore=restore, fork=fork, resume=resume, at=at)
    if resume:
        return find_run(exp_dir, timestamp).timestamp, Start(resume=True)
    chosen = check_timestamp(timestamp) if timestamp else new_timestamp(exp_dir, now)
    named = restore or fork
    other = None if named is None else find_run(exp_dir, named)
    step = None if other is None else step_at(other, LAST if at is None else at)
    start = Start(source=other, at=step) if restore else Start(fork=other, at=step)
    refuse_overwriting(Run(exp_dir, chosen), start)
    return chosen, start


def _refuse_together(
    *, restore: str | None, fork: str | None, resume: bool, at: str | int | None
) -> None:
    if resume and (restore or fork):
        option = "--restore" if restore else "--fork"
        raise InputError(f"--resume continues a run, {option} starts a new one", hint="use one")
    if restore and fork:
        problem = "--restore begins with a whole state, --fork with weights alone"
        raise InputError(problem, hint="use one")
    if resume and at is not None:
        # Going back would mean to write over what came after, which no command does.
        problem = "--resume goes on from the newest checkpoint and takes no --at"
        raise InputError(problem, hint="--restore TIMESTAMP --at ... begins a new run there")
    if at is not None and not (restore or fork):
        problem = "--at says where in another run to begin"
        raise InputError(problem, hint="name that run with --restore or --fork")


def taken_up(run: Run, start: Start, say: Callable[[str], None]) -> Kept | None:
    """What ``--set`` has said of a run that is resumed, as the run was trained with it; or None."""
    kept = kept_by_run(run.resolved, options_of(run)) if start.resume else None
    if kept:
        # Not "began": a later resume may have added to it.
        say(f"{run.timestamp} runs with {' '.join(f'--set {text}' for text in kept.said)}")
    return kept


def refuse_overwriting(run: Run, start: Start) -> None:
    """Never start at step 0 over checkpoints that are there.

    Raises:
        OutputExistsError: They are, and the run is not resumed.
    """
    # Any file: data without an index may be a checkpoint that a kill cut off.
    there = sorted(run.ckpt_dir.glob("ckpt-*"))
    if there and not start.resume:
        raise OutputExistsError(
            f"holds {len(there)} files of checkpoints",
            where=run.ckpt_dir,
            hint="continue with --resume, or take another --timestamp",
        )


def throwaway(
    environment: Environment, exp_dir: Path, folder: Path, every: int = SMOKE_STEPS
) -> Environment:
    """The same environment with another ``experiment_root`` that holds this experiment alone.

    Args:
        environment: The real one.
        exp_dir: The experiment's folder below its ``experiment_root``.
        folder: An empty folder; the trial writes there and nowhere else.
        every: Steps between its checkpoints, and between its looks.
    """
    name = exp_dir.relative_to(environment.experiment_root)
    # Not a copy: what it extends is found from where it stands, and messages name its lines.
    content = {"extends": str((exp_dir / "experiment.json").absolute())}
    files.write_json(folder / name / "experiment.json", content)
    changes = {
        "experiment_root": str(folder), "ckpt_freq": every, "sample_freq": every,
        "tracking": None,
    }  # fmt: skip
    return Environment(environment.path, environment.settings.model_copy(update=changes))
