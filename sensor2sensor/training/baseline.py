"""A run whose model is a baseline: fitted once, its numbers kept in ``run.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, InputError, OutputExistsError
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.degenerate import notices
from sensor2sensor.dataset.exclusion import left_out
from sensor2sensor.predictors.entries import TrainSplit
from sensor2sensor.predictors.protocol import Predictor
from sensor2sensor.predictors.registry import find
from sensor2sensor.training import run_file
from sensor2sensor.training.start import Start, tagged

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract
    from sensor2sensor.training.contract import ExperimentView

KEY = "baseline"  # in run.json
# Keys of experiment.json that say something to a baseline: what it is, on which tiles, which draws.
USED = frozenset(
    {"schema_", "extends", "model_name", "dataset", "tilesize", "seed"}
    | {"enforce_suffix", "exclude_suffix", "exclude_tiles", "modules", "sample_tiles", "expects"}
    | {"calibration"}
)


def refuse_draws(name: str, settings: Sequence[str], samples: int, runs: int) -> None:
    """Refuse what says something to networks alone.

    Args:
        name: Of the baseline's experiment.
        settings: What ``--set`` says.
        samples: Draws that are asked for.
        runs: How many predict together.

    Raises:
        ConfigError: Any of it is there.
    """
    if settings:
        raise ConfigError(f"says nothing to {name}, a baseline", where="--set", hint="leave it out")
    if samples > 1 or runs > 1:
        where = "--samples" if samples > 1 else "--exp"
        hint = "name one run of it"
        raise ConfigError(f"{name} is a baseline, which has no spread", where=where, hint=hint)


def check_baseline(experiment: ExperimentView, start: Start) -> list[str]:
    """Refuse a baseline that the data set or the command cannot have.

    Returns:
        Lines about what is odd in the data set, and which keys of ``experiment.json`` it does not
        look at.

    Raises:
        ConfigError: The data set lacks what it needs.
        InputError: ``--restore`` or ``--fork``: there is no state.
        OutputExistsError: The run exists already.
    """
    name, run = experiment.config.model_name, experiment.run
    if start.source is not None or start.fork is not None:
        problem = f"{name} is a baseline and has no state to restore"
        hint = f"leave out {'--fork' if start.source is None else '--restore'}"
        raise InputError(problem, where=experiment.name, hint=hint)
    if run.run_json.is_file() and not start.resume:
        raise OutputExistsError(
            "holds a run", where=run.logs_dir, hint="take another --timestamp, or --resume"
        )
    entry = find(name, experiment.config.params)
    reason = entry.applies(experiment.contract)
    if reason is not None:
        raise ConfigError(f"{name} is no baseline of this data set: {reason}", where="model_name")
    used = USED | ({"params"} if find(name).bound else set())
    idle = sorted(experiment.config.model_fields_set - used)
    unused = f"; not used: {', '.join(idle)}" if idle else ""
    told = f"{experiment.name}: in order; {name} is a baseline and is not trained{unused}"
    return [*left_out(experiment), *notices(experiment.contract), told]


def try_metrics(experiment: ExperimentView) -> None:
    """Refuse metrics of the user's modules, imported, that could not be evaluated."""
    # Here, not above: metrics need TensorFlow, which the check of a baseline does without.
    from sensor2sensor.metrics.compute import try_own_metrics

    try_own_metrics(experiment.contract)


def fit_baseline(experiment: ExperimentView, start: Start) -> None:
    """Make the run of a baseline: its folder, its settings and a ``run.json`` that is done.

    A resumed one is done already and keeps its numbers, unless a kill came before them.

    Args:
        experiment: The experiment with the timestamp of the run.
        start: Afresh or resumed.
    """
    run, config = experiment.run, experiment.config
    if start.resume:
        run_file.refuse_changed(experiment, way_out="start a new run")
        # One without numbers was killed by an earlier version, which wrote them last.
        if KEY in read_run_json(run):
            return
    entry = find(config.model_name, config.params)
    train = TrainSplit(
        experiment.dataset_dir,
        experiment.contract,
        config.enforce_suffix or None,
        config.exclude_suffix or None,
        experiment.excluded.names,
    )
    made = entry.make(experiment.contract, train)
    kept = {"name": entry.name, "fitted_on": _fitted_on(train) if entry.fitted else None}
    done = {"status": "done", KEY: {**kept, **made.describe()}, **tagged(run, start)}
    with files.undone_on_failure(run.logs_dir):
        run_file.begin(experiment, steps=0, device="CPU", restored_from=None, further=done)


def _fitted_on(train: TrainSplit) -> dict[str, Any]:
    tiles = {"split": "train", "tiles": train.count()}
    names = {"exclude_tiles": Excluded(train.exclude_tiles).sha256} if train.exclude_tiles else {}
    suffixes = {"enforce_suffix": train.enforce_suffix, "exclude_suffix": train.exclude_suffix}
    return {**tiles, **suffixes, **names}


def baseline_of(run: Run, contract: DatasetContract) -> Predictor | None:
    """The baseline that a run was made with, from its ``run.json``; None of a trained model."""
    kept = read_run_json(run).get(KEY)
    return None if kept is None else find(kept["name"]).restore(contract, kept)
