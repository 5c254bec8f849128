"""Which files a run's model and losses were read from, now and before: they may be edited."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.core import files
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.training.contract import ExperimentView

Identity = dict[str, str | None]


def module_identity(source: Path) -> Identity:
    """The file of a model's module and its SHA-256; None where it was typed in and has no file."""
    return {"file": str(source), "sha256": files.sha256(source) if source.is_file() else None}


def vgg_identity(experiment: ExperimentView) -> Identity | None:
    """The file of weights that ``gen_vgg`` looks through; None where it is not computed."""
    if experiment.config.gen_loss.gen_vgg is None:
        return None
    return module_identity(experiment.VGG.path)


def modules_identity(names: Sequence[str]) -> dict[str, Identity]:
    """File and SHA-256 of the user's imported modules with losses and metrics, by name."""
    files_of = {name: getattr(sys.modules[f"models.{name}"], "__file__", None) for name in names}
    return {name: module_identity(Path(str(path))) for name, path in files_of.items()}


def earlier_modules(
    before: Mapping[str, Any] | None,
    model_name: str,
    now: Mapping[str, Identity | None],
    step: int,
) -> list[dict[str, Any]]:
    """What ``run.json`` keeps of modules that a run was trained with and that have changed since.

    Args:
        before: Its content before the run was resumed; None of a new run.
        model_name: The name of the model's module.
        now: The modules in use by name, the model's among them.
        step: The step of its own that the run is resumed at; 0 where it has none.

    Returns:
        Entries ``{module, file, sha256, until_step}``, the earliest first.
    """
    if before is None:
        return []
    # A damaged checkpoint may have thrown the run back behind a change.
    found = [
        {**entry, "until_step": min(entry["until_step"], step)}
        for entry in before.get("earlier_modules", [])
    ]
    then = {model_name: before.get("model"), **before.get("modules", {})}
    for name, identity in then.items():
        at_work = now.get(name)
        if identity and at_work and identity["sha256"] != at_work["sha256"]:
            found.append({"module": name, **identity, "until_step": step})
    kept: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in found:
        # The first to end at a step: those after it have trained none.
        kept.setdefault((entry["module"], entry["until_step"]), entry)
    return [entry for (_, until), entry in kept.items() if until]


def module_changes(run: Run, source: Path, modules: Sequence[str]) -> list[str]:
    """A line for each module in use that is not the one that a run was trained with to its end.

    One more for each that it was trained with before. None of one that is equal, or that the run
    did not note.

    Args:
        run: The run.
        source: The model's module.
        modules: Names of the further modules, imported.
    """
    noted = read_run_json(run) if run.run_json.is_file() else {}
    before = noted.get("modules", {})
    now = modules_identity(modules)
    pairs = [(noted.get("model"), module_identity(source))]
    pairs += [(before.get(name), identity) for name, identity in now.items()]
    found = [(then, now) for then, now in pairs if then and then["sha256"] != now["sha256"]]
    lines = [_change(run, then["file"], str(now["file"])) for then, now in found]
    last = {identity["sha256"] for identity in (noted.get("model"), *before.values()) if identity}
    earlier = [e for e in noted.get("earlier_modules", []) if e["sha256"] not in last]
    return [*(_earlier(run, entry) for entry in earlier), *lines]


def _earlier(run: Run, entry: Mapping[str, Any]) -> str:
    which = f"SHA-256 {entry['sha256'][:12]}…" if entry["sha256"] else "typed in"
    return (
        f"{entry['file']} was another until step {entry['until_step']} of {run.timestamp} ({which})"
    )


def _change(run: Run, then: str, now: str) -> str:
    if then == now:
        return f"{now} has changed since {run.timestamp} was trained with it"
    return f"{run.timestamp} was trained with {then}, which differs from {now}"
