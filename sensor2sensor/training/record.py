"""``run.json``: what was run, on what, how far it came."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sensor2sensor.core import files, times
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.manifest import differences
from sensor2sensor.core.runs import Run, read_run_json, write_run_json
from sensor2sensor.core.versions import library_versions
from sensor2sensor.training.contract import ExperimentView

RESOLVED = "experiment.json"
MAY_CHANGE = frozenset({"steps", "sample_val"})
Settings = dict[str, Any]


class RunRecord:
    """The ``run.json`` of one run, written anew at every change of status or checkpoint."""

    def __init__(self, run: Run, content: dict[str, Any]) -> None:
        self.run = run
        self.content = content

    def update(self, **changes: Any) -> None:
        """Change entries and write the file."""
        self.content.update(changes)
        write_run_json(self.run, self.content)


def begin(
    experiment: ExperimentView,
    *,
    steps: int,
    device: str,
    restored_from: dict[str, Any] | None,
    pretrained: dict[str, Any] | None = None,
    argv: Sequence[str] | None = None,
) -> RunRecord:
    """Write the resolved ``experiment.json`` and a ``run.json`` with status ``running``.

    A resumed run keeps its ``started``, so that it stays the same run, and what it took over from
    another generator; it notes the resumption.
    """
    run = experiment.run
    now = times.format_utc(datetime.now(UTC))
    before = read_run_json(run) if run.run_json.is_file() else None
    content = {
        "exp": experiment.name,
        "timestamp": run.timestamp,
        "started": before["started"] if before else now,
        "status": "running",
        "step": restored_from["step"] if restored_from else 0,
        "steps": steps,
        "argv": list(sys.argv if argv is None else argv),
        "git": git_state(),
        "versions": library_versions(),
        "device": device,
        "dataset": dataset_identity(experiment),
        "seed": experiment.SEED,
        "inference_statistics": experiment.config.inference_statistics,
        "pretrained_generator": pretrained or (before or {}).get("pretrained_generator"),
        "restored_from": restored_from,
        "resumed": [*(before or {}).get("resumed", []), *([now] if before else [])],
    }
    files.write_json(run.logs_dir / RESOLVED, experiment.config.model_dump(mode="json"))
    record = RunRecord(run, content)
    record.update()
    return record


def refuse_changed(experiment: ExperimentView) -> None:
    """Refuse to resume a run with other settings or data than it was started with.

    ``steps`` may be raised, unless the learning rate falls towards the last of them, and
    ``sample_val`` touches no weight. A key that did not exist when the run began counts as
    having had its default.

    Raises:
        ConfigError: Lists what differs.
    """
    run = experiment.run
    if not run.run_json.is_file():
        return
    then, config = files.read_json(run.logs_dir / RESOLVED), experiment.config
    given = config.model_dump(mode="json", exclude_defaults=True)
    now = _known_then(config.model_dump(mode="json"), given, then)
    found = [text for text in differences(then, now) if text.split(":")[0] not in MAY_CHANGE]
    if config.learning_rate_schedule.kind != "constant" and then["steps"] != now["steps"]:
        change = f"{then['steps']} (there) against {now['steps']} (asked)"
        found.append(f"steps: {change}, and the learning rate falls towards the last of them")
    if read_run_json(run)["dataset"] != dataset_identity(experiment):
        found.append("the data set was built anew")
    if found:
        hint = "undo it, or start a new run (--restore takes over this one's state)"
        raise ConfigError(
            f"changed since the run began: {'; '.join(found)}", where=run.logs_dir, hint=hint
        )


def _known_then(now: Settings, given: Settings, then: Settings) -> Settings:
    """The settings without the keys that ``then`` lacks and that have their default now."""
    known = {}
    for key, value in now.items():
        if key in then and isinstance(value, dict) and isinstance(then[key], dict):
            known[key] = _known_then(value, given.get(key, {}), then[key])
        elif key in then or key in given:
            known[key] = value
    return known


def dataset_identity(experiment: ExperimentView) -> dict[str, str]:
    """Name of the data set and the SHA-256 of its ``dataset.json``."""
    contract_file = experiment.dataset_dir / "dataset.json"
    return {"name": experiment.config.dataset, "sha256": files.sha256(contract_file)}


def git_state() -> dict[str, Any]:
    """Commit and whether files differ from it; both None outside a git checkout."""
    git = shutil.which("git")
    if git is None:
        return {"commit": None, "dirty": None}
    root = Path(__file__).resolve().parents[2]

    def ask(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 - fixed arguments, program found by which
            [git, "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    commit, changed = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "-uno")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def choose_device(require_gpu: bool) -> str:
    """Name the device that TensorFlow will use.

    Raises:
        ConfigError: The environment requires a GPU and TensorFlow sees none.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details["device_name"] if "device_name" in details else gpus[0].name
        return f"GPU ({len(gpus)} x {name})"
    if require_gpu:
        hint = "run `python -m sensor2sensor doctor`, or set require_gpu to false"
        raise ConfigError("require_gpu is true and TensorFlow sees no GPU", hint=hint)
    return "CPU"
