"""Which sinks a run tells, beside its log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import tensorflow as tf

from sensor2sensor.training.board import Board
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.run_file import settings
from sensor2sensor.training.tables import Tables
from sensor2sensor.training.tracking import Tracker
from sensor2sensor.training.tracking_mlflow import STORE, MlflowTracker
from sensor2sensor.training.writers import Sink

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment


def sinks_for(
    experiment: ExperimentView,
    environment: Environment,
    graph: Callable[[], tf.Graph] | None = None,
) -> list[Sink]:
    """TensorBoard, with that graph, and what ``environment.json`` asks for."""
    run = experiment.run
    weights = {**experiment.GEN_LOSS, **experiment.DISC_LOSS}
    sinks: list[Sink] = [Board(run.logs_dir, weights, graph)]
    if environment.csv is not None:
        sinks.append(Tables(run.logs_dir, environment.csv))
    if environment.tracking is not None:
        title = f"{experiment.name} {run.timestamp}"
        known = settings(experiment.config)
        told = title, known, environment.tracking_names
        if environment.tracking == "mlflow":
            sinks.append(MlflowTracker(run.logs_dir, environment.experiment_root / STORE, *told))
        else:
            sinks.append(Tracker(run.logs_dir, *told))
    return sinks
