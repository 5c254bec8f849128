"""The sink that MLflow keeps: by default one SQLite file for all runs, without a server.

Its variables hold as ever: ``MLFLOW_TRACKING_URI`` names a server in place of the file, and
``MLFLOW_EXPERIMENT_NAME`` what runs are gathered under. MLflow's folder of plain files is not
used: since 3.17 it refuses to write one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import posixpath
import re
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.training.rows import EPOCH, Row
from sensor2sensor.training.tracking import PROJECT, PUBLISHED, SAMPLES

IDENTITY = "mlflow.json"
STORE = "_mlflow"  # below experiment_root
TAG = "sensor2sensor.run"
WAIT_S = 120.0  # for other trainings that begin; the first one makes the file in some 10 s
MOST_LETTERS = 500  # of a parameter, in every version
LONGEST_NAME = 250
_UNKNOWN = re.compile(r"[^\w. :/-]")


class MlflowTracker:
    """One run of MLflow for one run of ours, however often that is resumed.

    Metrics are ``<kind>/<name>`` at our steps, of rows of an epoch the published names, where asked
    for; sheets are artifacts. A step that it has is not told again: MLflow would keep both.

    Args:
        logs_dir: The run's folder of logs, which keeps the identity.
        store: The folder of the file, and of artifacts.
        title: What the run is called there.
        settings: Of the experiment.
        names: One of :data:`PUBLISHED`.
    """

    name = "MLflow"

    def __init__(
        self,
        logs_dir: Path,
        store: Path,
        title: str,
        settings: Mapping[str, Any],
        names: str = "own",
    ) -> None:
        self._logs_dir, self._store, self._title = logs_dir, store, title
        self._settings, self._names = settings, PUBLISHED[names]

    def resume(self, start_step: int, rows: Sequence[Row]) -> None:
        """Begin the run there, or go on with it, and tell the rows that it lacks."""
        # A run that is kept on this machine tells nobody that it is.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient, entities

        for noisy in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._entities = entities
        # Made and migrated at its first use: two processes at once would leave a file that is none.
        with files.lock(self._store / ".lock", WAIT_S):
            self._client = MlflowClient(tracking_uri=self._place())
            self._run_id = self._found()
        self._known = {key: self._steps(key) for key in self._keys()}
        for row in rows:
            told = {name: v for name, v in row.items() if name not in ("step", "kind")}
            finite = {name: math.nan if v is None else v for name, v in told.items()}
            self.scalars(row["step"], row["kind"], finite)

    def _place(self) -> str:
        named = os.environ.get("MLFLOW_TRACKING_URI")
        if named:
            return named
        self._store.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{(self._store / 'mlflow.db').resolve()}"

    def _found(self) -> str:
        """The run there that has our identity, made where there is none."""
        path = self._logs_dir / IDENTITY
        if not path.is_file():
            files.write_json(path, {"id": uuid.uuid4().hex})
        # Not MLflow's own id, which it makes: a kill in between would leave a run unknown here.
        identity = str(files.read_json(path)["id"])
        gathered = self._gathered()
        runs = self._client.search_runs([gathered], filter_string=f"tags.`{TAG}` = '{identity}'")
        if runs:
            run_id = str(runs[0].info.run_id)
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        run = self._client.create_run(gathered, tags={TAG: identity}, run_name=self._title)
        run_id = str(run.info.run_id)
        named = _parameters(self._settings)
        parameters = [self._entities.Param(name, value) for name, value in named.items()]
        self._client.log_batch(run_id, params=parameters[:100])
        for begin in range(100, len(parameters), 100):  # no more at a time
            self._client.log_batch(run_id, params=parameters[begin : begin + 100])
        return run_id

    def _gathered(self) -> str:
        """The id of what MLflow calls an experiment: ours are names of runs."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        artifacts = None if os.environ.get("MLFLOW_TRACKING_URI") else self._store / "artifacts"
        location = None if artifacts is None else artifacts.resolve().as_uri()
        return str(self._client.create_experiment(name, artifact_location=location))

    def _keys(self) -> list[str]:
        return list(self._client.get_run(self._run_id).data.metrics)

    def _steps(self, key: str) -> set[int]:
        return {point.step for point in self._client.get_metric_history(self._run_id, key)}

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Add values and facts to what is known of a step."""
        known = self._names if kind == EPOCH else {}
        every = {**facts, **values}.items()
        row = {_allowed(known.get(name, f"{kind}/{name}")): value for name, value in every}
        now, made = int(time.time() * 1000), []
        for key, value in row.items():
            steps = self._known.setdefault(key, set())
            if step not in steps:
                steps.add(step)
                made.append(self._entities.Metric(key, float(value), now, step))
        if made:
            self._client.log_batch(self._run_id, metrics=made)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Add an encoded PNG; one of a step that is repeated takes the place of the first."""
        shown = self._names.get(name, name) if name == SAMPLES else name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"step-{step:07d}.png"
            path.write_bytes(png)
            self._client.log_artifact(self._run_id, str(path), shown)

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Nothing: MLflow shows none."""

    def flush(self) -> None:
        """Nothing: every row is written as it is told."""

    def close(self, *, failed: bool) -> None:
        """End the run there."""
        self._client.set_terminated(self._run_id, status="FAILED" if failed else "FINISHED")


def _parameters(settings: Mapping[str, Any]) -> dict[str, str]:
    """Settings by names that MLflow takes; two that it would take for one are told apart."""
    named: dict[str, str] = {}
    for name, value in _flat(settings):
        allowed, count = _allowed(name), 1
        while allowed in named:
            count += 1
            allowed = f"{_allowed(name)[: LONGEST_NAME - 4]}_{count}"
        named[allowed] = value
    return named


def _allowed(name: str) -> str:
    """A name without what MLflow refuses: other signs, and what no path has."""
    path = posixpath.normpath(_UNKNOWN.sub("_", name).lstrip("/"))
    return path.replace("..", "__")[:LONGEST_NAME] if path != "." else "_"


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Settings as ``gen_loss.gen_l1`` and text; what is null says nothing."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        elif value is not None:
            yield f"{above}{name}", json.dumps(value)[:MOST_LETTERS]
