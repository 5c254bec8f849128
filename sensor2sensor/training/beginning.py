"""What a run begins with: its own state, another run's, or the weights of another run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.ancestry import FORKED
from sensor2sensor.training import checkpoints, restoring, run_file
from sensor2sensor.training.contract import ExperimentView, GANModel
from sensor2sensor.training.data_form import data_form, differences, form_of, in_words, other_bands
from sensor2sensor.training.modules import module_changes
from sensor2sensor.training.normaliser import another_map, learned
from sensor2sensor.training.pretrained import (
    FORK,
    KEY,
    PretrainedError,
    load_generator,
    load_networks,
)
from sensor2sensor.training.start import Start, begun_from, begun_with
from sensor2sensor.training.state import TrainingState, base_image, constant_rates, networks

logger = logging.getLogger(__name__)

Facts = dict[str, Any]
_ELSEWHERE = "name another checkpoint with --at"
_BEGIN_AGAIN = (
    "this run began with it and has none of its own yet: begin another one with --restore, or"
    " restore it from a backup; keep_every keeps it"
)


def take_up(
    model: GANModel,
    state: TrainingState,
    experiment: ExperimentView,
    start: Start,
    *,
    module: Path,
    say: Callable[[str], None],
    repair: bool = True,
) -> tuple[Facts | None, Facts]:
    """Fill a model with the state or the weights that its run begins with.

    Args:
        model: The model.
        state: Everything a training of it must remember.
        experiment: The experiment with the timestamp of the run.
        start: What is asked for.
        module: The file of the model's module.
        say: Takes a line for the file it came from, and for whatever has changed since.
        repair: Move damaged checkpoints of the run aside; else nothing is written.

    Returns:
        What ``run.json`` keeps of the state that was restored, and, under its key, of the weights
        that were taken over.

    Raises:
        CheckpointError: What is asked for is missing, damaged or of another architecture.
        ConfigError: The run was begun with other settings or data, or more steps are done than it
            is to have.
    """
    restored = _restore(model, state, experiment, start, module, say, repair)
    if restored and restored["step"] > experiment.STEPS:
        problem = f"{experiment.STEPS} steps are asked for, and {restored['step']} are done"
        raise ConfigError(problem, where=experiment.name, hint="raise 'steps' (or 'epochs')")
    return restored, {} if restored else _take_over(model, experiment, start, say)


def _restore(
    model: GANModel,
    state: TrainingState,
    experiment: ExperimentView,
    start: Start,
    module: Path,
    say: Callable[[str], None],
    repair: bool,
) -> Facts | None:
    run = experiment.run
    source = run if start.resume else start.source
    if source is None:
        return None
    for line in module_changes(source, module, experiment.config.modules):
        say(line)
    own, begun = source == run, None
    if own:
        run_file.refuse_changed(experiment)
    if own and not checkpoints.has_any(run.ckpt_dir):
        begun = begun_from(run)
        if begun is None:
            logger.warning("%s: NO CHECKPOINT YET, STARTING AT STEP 0", run.ckpt_dir)
            return None
        source, own = begun[0], False
    # A new run has its own learning rate, and the base image of its own value ranges.
    kept = [] if own else [*constant_rates(model), *base_image(model)]
    if begun is not None:
        # That step: the other run may have gone on since.
        step = restoring.restore_step(source.ckpt_dir, state, begun[1], _BEGIN_AGAIN)
    elif not own and start.at is not None:
        step = restoring.restore_step(source.ckpt_dir, state, start.at, _ELSEWHERE)
    else:
        # Of another run nothing is moved aside: its own training may be at work there.
        step = restoring.restore_latest(source.ckpt_dir, state, repair=own and repair)
    for variable, value in kept:
        variable.assign(value)
    say(f"restored {source.ckpt_dir / f'ckpt-{step}'}: continuing from step {step}")
    if not own and source.run_json.is_file():
        _say_map(learned(source), experiment, say)
    return {"timestamp": source.timestamp, "step": step}


def _take_over(
    model: GANModel, experiment: ExperimentView, start: Start, say: Callable[[str], None]
) -> Facts:
    """Begin with the weights of another run, where the command or the experiment asks for it."""
    # A run that is resumed before its first checkpoint begins again as it began then.
    again = start.resume
    if forked := (begun_with(experiment.run, FORKED) if again else None) or _asked(start.fork):
        source, then = forked
        return {FORKED: _fork(model, source, then, experiment, start, say)}
    if begun := (begun_with(experiment.run) if again else None) or _asked(start.pretrained):
        source, then = begun
        differing = _other_data(source, experiment, say, KEY, refuse=then is None)
        facts = load_generator(model, source, then)
        say(f"generator from {source.ckpt_dir / facts['checkpoint']}")
        facts |= {"learned": learned(source), "differing": differing}
        _say_map(facts["learned"], experiment, say)
        return {KEY: {"asked": getattr(experiment.config, KEY), **facts}}
    return {}


def _asked(run: Run | None) -> tuple[Run, Facts | None] | None:
    return None if run is None else (run, None)


def _fork(
    model: GANModel,
    source: Run,
    then: Facts | None,
    experiment: ExperimentView,
    start: Start,
    say: Callable[[str], None],
) -> Facts:
    """Begin with the weights of all networks of another run of the experiment."""
    differing = _other_data(source, experiment, say, FORK, refuse=then is None)
    facts = load_networks(model, source, start.at, then)
    anew = [name for name in networks(model) if name not in facts["networks"]]
    fresh = f"; anew: {', '.join(anew)}" if anew else ""
    taken = f"{' and '.join(facts['networks'])} ({facts['weights']} weights)"
    say(f"{taken} from {source.ckpt_dir / facts['checkpoint']}: a new run from step 0{fresh}")
    _say_map(learned(source), experiment, say)
    return {**facts, "learned": learned(source), "differing": differing}


def _other_data(
    source: Run, experiment: ExperimentView, say: Callable[[str], None], key: str, *, refuse: bool
) -> Facts | None:
    """Ranges and pixels that the generator of another run did not learn; None: not known.

    Raises:
        PretrainedError: It learned other bands, or in other units.
    """
    if learned(source)["dataset"] == run_file.dataset_identity(experiment):
        return {}
    there, here = form_of(source, experiment), data_form(experiment.contract)
    name = learned(source)["dataset"]["name"]
    if there is None:
        say(f"{key}: bands, ranges and pixels of '{name}', as it was then, are not known any more")
        return None
    if (phrase := other_bands(there, here)) is not None:
        if refuse:
            problem = f"{source.logs_dir} learned other data: {phrase}"
            raise PretrainedError(problem, where=key, hint="name a run with these bands and units")
        return None
    found = differences(there, here)
    if found:
        say(f"{key}: '{name}' (there) differs from '{experiment.contract.name}': {in_words(found)}")
    return found


def _say_map(there: Facts, experiment: ExperimentView, say: Callable[[str], None]) -> None:
    phrase = another_map(there, experiment)
    if phrase is not None:
        say(phrase)
