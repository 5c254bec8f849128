"""What a sweep has found: the best validation of every value; ``test`` is not read."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from shlex import quote

from sensor2sensor.config.cadence import better
from sensor2sensor.core import files
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.training.chain import Result
from sensor2sensor.training.points import ALIKE
from sensor2sensor.training.rows import JSONL, read_log

WARNING = (
    "chosen by val alone; the best of several looks better than it is, the more of them the more,"
    " and one seed a value says little: repeat the best with other seeds, then score test once"
)
# Of a run's own copy: what says which tiles validations look at, and how they are cut.
LOOKS = (
    "dataset", "tilesize", "img_height", "img_width", "sample_val", "exclude_tiles",
    "enforce_suffix", "exclude_suffix",
)  # fmt: skip
LENGTH = ("steps", "epochs")


@dataclass(frozen=True)
class Line:
    """One value of the sweep, over its seeds.

    Attributes:
        point: What is set.
        runs: Timestamps of the runs that were validated.
        values: Of each its best validation.
        steps: Of each the step of that.
        lacking: Runs that are asked for and have no validation.
    """

    point: tuple[str, ...]
    runs: tuple[str, ...]
    values: tuple[float, ...]
    steps: tuple[int, ...]
    lacking: int

    @property
    def mean(self) -> float:
        """Mean over the seeds; NaN without any."""
        return statistics.fmean(self.values) if self.values else math.nan


def best_look(run: Run, metric: str) -> tuple[float, int] | None:
    """Value and step of a run's best validation; None where it has no finite one.

    Args:
        run: The run.
        metric: A metric, or a loss.
    """
    path = run.logs_dir / JSONL
    if not path.is_file():
        return None
    since = read_run_json(run).get(ALIKE, 0)
    rows = [row for row in read_log(path) if row["kind"] == "val" and row["step"] > since]
    known = [(row[metric], row["step"]) for row in rows if row.get(metric) is not None]
    sign = -1.0 if better(metric) == "higher" else 1.0
    return min(known, key=lambda look: (sign * look[0], look[1]), default=None)


def lines_of(results: Sequence[Result], metric: str) -> list[Line]:
    """A line for each value, in the order of the sweep.

    Args:
        results: Of the jobs of one experiment, with the runs that they have now.
        metric: What ``monitor`` names.
    """
    found: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        found.setdefault(result.job.point, []).append(result)
    made = []
    for point, own in found.items():
        looks = [(r.standing.run, best_look(r.standing.run, metric)) for r in own if r.standing.run]
        known = [(run.timestamp, *look) for run, look in looks if look is not None]
        runs, values, steps = zip(*known, strict=True) if known else ((), (), ())
        made.append(Line(point, runs, values, steps, len(own) - len(known)))
    return made


def unlike(results: Sequence[Result], swept: Collection[str] = ()) -> list[str]:
    """Keys by which the validations of runs do not compare: other tiles, or another length.

    Args:
        results: Of the jobs of one experiment, with the runs that they have now.
        swept: The keys of the sweep: a length that is swept is what is compared.
    """
    runs = [result.standing.run for result in results if result.standing.run]
    copies = [files.read_json(run.resolved) for run in runs]
    keys = LOOKS if {*LENGTH} & {*swept} else (*LOOKS, *LENGTH)
    return [key for key in keys if len({json.dumps(copy.get(key)) for copy in copies}) > 1]


def table(
    exp: str, lines: Sequence[Line], metric: str, say: Callable[[str], None],
    apart: Sequence[str] = (),
) -> None:  # fmt: skip
    """Tell the lines, the best of them marked, and what that is worth.

    Args:
        exp: Name of the experiment.
        lines: One a value.
        metric: What they are compared by.
        say: Takes lines.
        apart: What :func:`unlike` found.
    """
    direction = better(metric)
    # A mean over fewer seeds is no rival of one over all.
    whole = [line for line in lines if line.values and not line.lacking]
    choose = max if direction == "higher" else min
    best = choose(whole, key=lambda line: line.mean) if len(whole) > 1 and not apart else None
    say(f"{exp}: best validation by {metric} ({direction} is better)")
    names = [" ".join(line.point) for line in lines]
    width = max(map(len, names))
    for name, line in zip(names, lines, strict=True):
        mark = "*" if line is best else " "
        say(f"{mark} {name:{width}}  {_shown(line)}")
    if apart:
        say(f"none is marked: these runs differ in {', '.join(apart)}, so they do not compare")
    elif best is not None:
        # The checkpoint of that look: the run went on, and its last may be another thing.
        command = f"python evaluate.py --exp {quote(exp)} --timestamp {best.runs[0]} --step best"
        say(f"* {WARNING}: {command}")


def _shown(line: Line) -> str:
    if not line.values:
        return "no validation"
    at = f"at step {', '.join(map(str, line.steps))} ({', '.join(line.runs)})"
    spread = f" ± {statistics.stdev(line.values):.2g}" if len(line.values) > 1 else ""
    lack = f", {line.lacking} without validation" if line.lacking else ""
    return f"{line.mean:.5g}{spread}  {at}{lack}"
