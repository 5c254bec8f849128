"""Run folders of one experiment: names, run.json, and which one is the latest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError

TIMESTAMP = re.compile(r"\d{4}-\d{4}(-\d+)?")


@dataclass(frozen=True)
class Run:
    """One training run: ``<experiment>/{ckpt,logs,samples,model}/<timestamp>``.

    Attributes:
        exp_dir: The experiment's folder.
        timestamp: ``MMDD-hhmm``, with ``-2``, ``-3`` … where the minute is taken.
    """

    exp_dir: Path
    timestamp: str

    @property
    def ckpt_dir(self) -> Path:
        """Checkpoints of this run."""
        return self.exp_dir / "ckpt" / self.timestamp

    @property
    def logs_dir(self) -> Path:
        """TensorBoard and JSONL logs, the resolved experiment.json and run.json."""
        return self.exp_dir / "logs" / self.timestamp

    @property
    def samples_dir(self) -> Path:
        """Sample sheets by step."""
        return self.exp_dir / "samples" / self.timestamp

    @property
    def model_dir(self) -> Path:
        """Pictures of the networks."""
        return self.exp_dir / "model" / self.timestamp

    @property
    def resolved(self) -> Path:
        """The run's own copy of experiment.json, with every default filled in."""
        return self.logs_dir / "experiment.json"

    @property
    def lock(self) -> Path:
        """Held by the process that trains."""
        return self.ckpt_dir / ".lock"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that is the run's own, its logs last: without them nobody would find the others."""
        return self.ckpt_dir, self.samples_dir, self.model_dir, self.logs_dir

    @property
    def excluded(self) -> Path:
        """The run's own copy of the names of tiles it leaves out, where it leaves out any."""
        return self.logs_dir / "exclude_tiles.txt"

    @property
    def run_json(self) -> Path:
        """The file that says what this run is and how far it came."""
        return self.logs_dir / "run.json"


def read_run_json(run: Run) -> dict[str, Any]:
    """The content of run.json; InputError where it is missing or damaged."""
    content = files.read_json(run.run_json)
    if not isinstance(content, dict) or not isinstance(content.get("started"), str):
        raise InputError(
            "has no 'started' time", where=run.run_json, hint="remove that run's folders"
        )
    return content


def write_run_json(run: Run, content: dict[str, Any]) -> None:
    """Write run.json atomically."""
    files.write_json(run.run_json, content)


def options_of(run: Run) -> list[str]:
    """What ``--set`` said of a run, at its beginning and since; nothing where there is none yet."""
    return list(read_run_json(run).get("set", [])) if run.run_json.is_file() else []


def list_runs(exp_dir: Path, passed_over: Callable[[str], None] | None = None) -> list[Run]:
    """Runs that have a run.json, oldest start first.

    The start is taken from run.json since the folder's name has no year.

    Args:
        exp_dir: The experiment's folder.
        passed_over: Takes a line for each whose run.json is damaged; None: that is an error.

    Raises:
        InputError: A run.json is damaged.
    """
    started: list[tuple[str, str, Run]] = []
    for path in sorted(Path(exp_dir).glob("logs/*/run.json")):
        run = Run(Path(exp_dir), path.parent.name)
        try:
            started.append((read_run_json(run)["started"], run.timestamp, run))
        except (InputError, OSError) as error:
            if passed_over is None:
                raise
            passed_over(f"passed over: {error}")
    return [run for _, _, run in sorted(started, key=lambda entry: entry[:2])]


def latest_run(exp_dir: Path) -> Run | None:
    """The run that was started last, or None."""
    runs = list_runs(exp_dir)
    return runs[-1] if runs else None


def find_run(exp_dir: Path, timestamp: str | None) -> Run:
    """The named run, or the latest.

    Raises:
        InputError: There is no such run; the existing ones are named.
    """
    if timestamp is not None and (named := Run(Path(exp_dir), timestamp)).run_json.is_file():
        read_run_json(named)  # whatever is wrong with others
        return named
    runs = [run.timestamp for run in list_runs(exp_dir)]
    if timestamp is None:
        found = latest_run(exp_dir)
        if found is None:
            raise InputError("no run yet", where=exp_dir, hint="start one with train.py")
        return found
    hint = f"runs there: {', '.join(runs) or 'none'}"
    # The settings are written before run.json: a kill in between leaves them alone.
    if Run(Path(exp_dir), timestamp).resolved.is_file():
        # Not with --timestamp alone: --restore and --set were noted nowhere yet.
        hint = "it was killed before it began; repeat the command that was cut off"
    raise InputError(f"no run '{timestamp}'", where=exp_dir, hint=hint)


def new_timestamp(exp_dir: Path, now: datetime) -> str:
    """``MMDD-hhmm`` of ``now``, with a suffix where a run of that minute exists."""
    base = now.strftime("%m%d-%H%M")
    taken = {path.name for kind in ("ckpt", "logs") for path in Path(exp_dir).glob(f"{kind}/*")}
    candidate, count = base, 1
    while candidate in taken:
        count += 1
        candidate = f"{base}-{count}"
    return candidate


def check_timestamp(text: str) -> str:
    """Return ``text`` if it is ``MMDD-hhmm`` with an optional ``-n``; InputError otherwise."""
    if not TIMESTAMP.fullmatch(text):
        raise InputError(f"timestamp '{text}' is not MMDD-hhmm", hint="for example 0715-0930")
    return text
