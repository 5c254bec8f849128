"""Says what the log of a run tells of a collapse, and keeps it in ``run.json``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from sensor2sensor.core.decoration import decoration
from sensor2sensor.core.runs import read_run_json
from sensor2sensor.pipeline.batching import ReaderOptions
from sensor2sensor.training.collapse import Signs, in_words
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.held_against import KEY, held_again, held_against
from sensor2sensor.training.rows import Row, row_of
from sensor2sensor.training.run_file import RunFile
from sensor2sensor.training.validation import Monitor

WARNINGS = "warnings"  # in run.json
FEWEST_STEPS = 200  # before which nothing is held against a baseline

logger = logging.getLogger(__name__)


class Alarms:
    """Reads what a run logs, and warns.

    Args:
        experiment: The experiment with the timestamp of the run.
        options: The reader's, of its looks.
        monitor: Of its looks.
        steps: In total.
    """

    def __init__(
        self, experiment: ExperimentView, options: ReaderOptions, monitor: Monitor, steps: int
    ) -> None:
        self._experiment, self._options, self._monitor = experiment, options, monitor
        judge = experiment.DISCRIMINATOR
        self._signs = Signs(
            experiment.DISC_LOSS if judge is not None else {},
            judged_from=experiment.config.generator_warmup,
            # A model needs its time; what is worse by then has little left to catch up in.
            compared_from=max(FEWEST_STEPS, -(-steps // 2)),
        )
        self._tried = False

    def kept(self, resumed: bool) -> dict[str, Any]:
        """Entries of the ``run.json`` before it that a resumed run takes over."""
        found = read_run_json(self._experiment.run) if resumed else {}
        return {key: found[key] for key in (WARNINGS, KEY) if key in found}

    def resume(self, rows: Iterable[Row], run_file: RunFile, step: int) -> None:
        """Take up what the log holds of the first ``step`` steps."""
        content = run_file.content
        self._signs.held = held_again(content.get(KEY))
        self._signs.told = [one for one in content.get(WARNINGS, []) if one["step"] <= step]
        for row in rows:
            if row["step"] <= step:
                self._read(row, run_file)

    def read(self, step: int, kind: str, values: Mapping[str, float], run_file: RunFile) -> None:
        """Warn of what the row of a step tells for the first time."""
        if kind == "val" and step >= self._signs.compared_from and not self._tried:
            self._hold(run_file)
        self._read(row_of(step, kind, values, {}), run_file)

    def _hold(self, run_file: RunFile) -> None:
        self._tried = True
        with decoration("the baseline that looks are held against", logger.warning):
            known = run_file.content.get(KEY)
            found = held_against(self._experiment, self._options, self._monitor, known)
            if found is not None and found != known:
                run_file.update(**{KEY: found})
            self._signs.held = held_again(found)

    def _read(self, row: Row, run_file: RunFile) -> None:
        for found in self._signs.read(row):
            logger.warning("%s, %s", self._experiment.name, in_words(found))
            run_file.update(**{WARNINGS: self._signs.told})
