"""Which evaluations are seeds of one model: the same experiment but for its seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensor2sensor.config.cadence import CadenceKeys
from sensor2sensor.config.exclusion import KEY as EXCLUDED
from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.manifest import fingerprint
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset.ancestry import FORKED, PRETRAINED

# Says nothing of the weights: notes, what is looked at, when it is looked, what is kept.
NOTES = frozenset({"schema_", "extends", "sample_val", "sample_tiles", "expects", "seed"})
NOTES |= {"deterministic"}  # the order of sums: rounding, as between two devices
NOTES |= frozenset(CadenceKeys.model_fields) - {"epochs", "monitor"}
BATCH_SIZE, REGISTRATION = "batch_size", "registration"
PARENTS = frozenset({REGISTRATION, PRETRAINED})  # that name another run


def recipe_of(
    config: Any,
    excluded: Excluded,
    options: Sequence[str],
    resolved: Path,
    taken: Mapping[str, Any] | None = None,
) -> str:
    """``sha256:…`` of the resolved settings without the seed; equal ones train the same model.

    Settings at their default are left out, so that a key that a later version adds changes nothing.
    The best validation's metric stays: it says which checkpoint ``best`` is. So does how many steps
    were asked for, but not how many were done: the evaluation's ``step`` says that.

    Args:
        config: Of the experiment, as the run has it.
        excluded: The tiles that it leaves out, by their names: where a list lies says nothing.
        options: What ``--set`` said of the evaluation: a batch size of it is not the training's.
        resolved: The run's own copy of its settings.
        taken: Its ``run.json``, which tells the runs that it took weights of. They stand for their
            recipe: seeds of a model that each have a registration of their seed are one model.
    """
    found = config.model_dump(mode="json", exclude=set(NOTES), exclude_defaults=True)
    if config.epochs is not None:
        found.pop("steps", None)  # idle beside epochs
    found.pop(EXCLUDED, None)
    if excluded.names:
        found[EXCLUDED] = excluded.sha256
    asked = {text.partition("=")[0].strip() for text in options}
    if BATCH_SIZE in asked and resolved.is_file():
        found[BATCH_SIZE] = files.read_json(resolved).get(BATCH_SIZE, config.batch_size)
    for key in PARENTS & set(found):
        if (parent := _of_parent((taken or {}).get(key))) is not None:
            found[key] = {**found[key], "run": parent} if key == REGISTRATION else parent
    if (parent := _of_parent((taken or {}).get(FORKED))) is not None:
        found[FORKED] = parent  # no key asks for it: a command did
    # The form that exclude_defaults gives the batch size where it is at its default: none.
    if found.get(BATCH_SIZE) == type(config).model_fields[BATCH_SIZE].default:
        found.pop(BATCH_SIZE)
    return fingerprint(found)


def _of_parent(taken: Mapping[str, Any] | None) -> str | None:
    """Recipe and step of a run that weights were taken of; None where nobody can read it."""
    if taken is None:
        return None
    run = Run(Path(taken["experiment"]), taken["timestamp"])
    try:
        settings, own = files.read_json(run.resolved), read_run_json(run)
    except InputError:
        return None
    # Whole settings: defaults that a later version adds are in neither of two runs of one version.
    kept = {key: value for key, value in settings.items() if key not in {*NOTES, "$schema"}}
    for key in PARENTS & {name for name, value in kept.items() if value is not None}:
        parent = _of_parent(own.get(key))
        if parent is not None:
            kept[key] = {**kept[key], "run": parent} if key == REGISTRATION else parent
    if (parent := _of_parent(own.get(FORKED))) is not None:
        kept[FORKED] = parent
    return fingerprint({**kept, "step": taken.get("step")})
