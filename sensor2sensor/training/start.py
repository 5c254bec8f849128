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
from sensor2sensor.dataset.ancestry import inherited, trained_before
from sensor2sensor.dataset.calibration import KEY

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
        tag: What ``--tag`` calls the run; None: what it was called before, if anything.
    """

    resume: bool = False
    source: Run | None = None
    pretrained: Run | None = None
    tag: str | None = None

    def weights_of(self, run: Run) -> Run | None:
        """Whose weights ``run`` begins with, its own where it is resumed; None: new ones."""
        return run if self.resume else self.source or self.pretrained


def tagged(run: Run, start: Start) -> dict[str, str]:
    """What ``run.json`` keeps of ``--tag``: now, or when the run began; nothing without one."""
    before = read_run_json(run).get(TAG) if run.run_json.is_file() else None
    tag = before if start.tag is None else start.tag
    return {} if tag is None else {TAG: tag}


def begun_with(run: Run) -> tuple[Run, dict[str, Any]] | None:
    """The run whose generator ``run`` began with, and what its ``run.json`` keeps of it, or None.

    That names one checkpoint, whatever ``pretrained_generator`` has come to mean since.
    """
    kept = read_run_json(run).get("pretrained_generator") if run.run_json.is_file() else None
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
        InputError: Both a whole state and weights alone are asked for.
        ConfigErrors: That run looked at ground that is set aside here for calibration.
    """
    if start.resume and any(experiment.run.ckpt_dir.glob("ckpt-*.index")):
        return start
    if start.resume and (begun := begun_with(experiment.run)) is not None:
        return replace(start, pretrained=begun[0])
    found = find()
    if found is not None and start.source is not None:
        problem = "--restore begins with a whole state, pretrained_generator with weights alone"
        raise InputError(problem, where=experiment.exp_dir / "experiment.json", hint="use one")
    if (other := start.source or found) is not None:
        _refuse_seen(experiment, other, "pretrained_generator" if found else "--restore")
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
) -> tuple[str, Start]:
    """Read ``--timestamp``, ``--restore`` and ``--resume``.

    Args:
        exp_dir: The experiment's folder.
        timestamp: Name for the run, or which one to resume.
        restore: The run whose state a new run begins with.
        resume: Continue the named or the latest run in its folder.
        now: Local time, for the name of a new run.

    Returns:
        The run's timestamp and where it begins.

    Raises:
        InputError: No such run, a timestamp of another form, or options that exclude each other.
        OutputExistsError: A new run would start over existing checkpoints.
    """
    if resume and restore is not None:
        raise InputError("--resume continues a run, --restore starts a new one", hint="use one")
    if resume:
        return find_run(exp_dir, timestamp).timestamp, Start(resume=True)
    chosen = check_timestamp(timestamp) if timestamp else new_timestamp(exp_dir, now)
    start = Start(source=find_run(exp_dir, restore) if restore is not None else None)
    refuse_overwriting(Run(exp_dir, chosen), start)
    return chosen, start


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
