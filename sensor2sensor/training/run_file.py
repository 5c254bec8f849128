"""``run.json``: what was run, on what, how far it came."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sensor2sensor.config.cadence import CadenceKeys
from sensor2sensor.config.exclusion import KEY as EXCLUDED
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.layers import kept_by_run
from sensor2sensor.config.model_defaults import suited_config
from sensor2sensor.config.scaling import numbers_in_force
from sensor2sensor.core import files, times
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from sensor2sensor.core.manifest import differences
from sensor2sensor.core.runs import Run, options_of, read_run_json, write_run_json
from sensor2sensor.core.versions import library_versions
from sensor2sensor.dataset.ancestry import PRETRAINED, began_from
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.data_form import data_form, form_of, other_bands, other_masks
from sensor2sensor.training.modules import (
    earlier_modules,
    module_identity,
    modules_identity,
    vgg_identity,
)
from sensor2sensor.training.points import ALIKE as ALIKE
from sensor2sensor.training.points import steps_there

LOOKED_AT = "sample_val"  # says at which tiles validations look
# None touches what the steps so far have made of the weights.
MAY_CHANGE = frozenset({"steps", LOOKED_AT, "sample_tiles", "expects"})
MAY_CHANGE |= frozenset(CadenceKeys.model_fields)
RESTORE = "start a new run (--restore takes over this one's state)"
SCHEMA = "schema_"  # for editors; says nothing about a run
Settings = dict[str, Any]
Facts = dict[str, Any]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class RunFile:
    """The ``run.json`` of one run, written anew at every change of status or checkpoint."""

    def __init__(self, run: Run, content: dict[str, Any]) -> None:
        self.run = run
        self.content = content

    def update(self, **changes: Any) -> None:
        """Change entries and write the file."""
        self.content.update(changes)
        write_run_json(self.run, self.content)

    @property
    def alike_since(self) -> int:
        """The step up to which validations looked at other tiles than now; 0: none did."""
        return int(self.content.get(ALIKE, 0))


def begin(
    experiment: ExperimentView,
    *,
    steps: int,
    device: str,
    restored_from: dict[str, Any] | None,
    model: dict[str, str | None] | None = None,
    further: Mapping[str, Any] = NOTHING,
    argv: Sequence[str] | None = None,
) -> RunFile:
    """Write the resolved ``experiment.json``, then ``run.json``, once and whole.

    Its status is ``running``, unless ``further`` entries say something else. ``model`` is the
    :func:`module_identity` of the module that trains.

    A resumed run keeps its ``started``, so that it stays the same run, and what it took over from
    another generator; it notes the resumption, and the step of one with another ``sample_val``.
    """
    run = experiment.run
    now = times.format_utc(datetime.now(UTC))
    before = read_run_json(run) if run.run_json.is_file() else None
    # Another run's steps were trained with that one's modules.
    itself = restored_from is not None and restored_from["timestamp"] == run.timestamp
    step = restored_from["step"] if restored_from else 0
    own = step if itself else 0
    name, modules = experiment.config.model_name, modules_identity(experiment.config.modules)
    alike = _alike_since(before, experiment, step)
    if before and alike != before.get(ALIKE, 0):
        # Before the settings: once they are written nothing else tells that they were others.
        write_run_json(run, {**before, ALIKE: alike})
    content = {
        "exp": experiment.name,
        "timestamp": run.timestamp,
        "started": before["started"] if before else now,
        "status": "running",
        "step": step,
        "steps": steps,
        "argv": list(sys.argv if argv is None else argv),
        "extends_chain": [str(path) for path in experiment.document.extended],
        "set": list(experiment.document.options),
        "git": git_state(),
        "versions": library_versions(),
        "device": device,
        "dataset": dataset_identity(experiment),
        "data": data_form(experiment.contract),
        "model": model,
        "modules": modules,
        "earlier_modules": earlier_modules(before, name, {name: model, **modules}, own),
        EXCLUDED: experiment.excluded.as_json(),
        "vgg": vgg_identity(experiment),
        "seed": experiment.SEED,
        "normalisation": experiment.normaliser.state(),
        "inference_statistics": experiment.config.inference_statistics,
        PRETRAINED: (before or {}).get(PRETRAINED),
        "restored_from": restored_from,
        **began_from(before or {}, run, restored_from),
        "resumed": [*(before or {}).get("resumed", []), *([now] if before else [])],
        **({ALIKE: alike} if alike else {}),
        **_best_so_far(before, experiment, alike),
        **further,
    }
    # Before run.json: whoever finds that one finds the settings too.
    files.write_json(run.resolved, settings(experiment.config))
    if experiment.excluded.file:
        files.write_text(run.excluded, experiment.excluded.text())
    run_file = RunFile(run, content)
    run_file.update()
    return run_file


def _alike_since(before: Facts | None, experiment: ExperimentView, step: int) -> int:
    """The step up to which the validations of a run that goes on at ``step`` do not compare."""
    if before is None:
        return 0
    changes = changed_settings(experiment.run, experiment.config, experiment.document)
    other = any(text.split(":")[0] == LOOKED_AT for text in changes)
    # One that goes on before the step of the change looks again at all behind it.
    return step if other else min(before.get(ALIKE, 0), step)


def _best_so_far(before: Facts | None, experiment: ExperimentView, alike: int) -> Facts:
    """The best validation that a run named, until its log is read again."""
    best, monitor = (before or {}).get("best"), experiment.config.monitor
    if best is None or monitor is None or best["step"] <= alike:
        return {}
    return {"best": best} if best["metric"] == monitor.metric else {}


def measured_before(run: Run, source: Path) -> dict[str, Any] | None:
    """What a run that is resumed has measured of its generator, which may have taken a minute.

    None where it has not, or where the model's module, the file ``source``, has changed since:
    dilation moves what a pixel sees, but no variable that a checkpoint could refuse.
    """
    noted = read_run_json(run) if run.run_json.is_file() else {}
    then = noted.get("model")
    same = then is not None and then["sha256"] == module_identity(source)["sha256"]
    return noted.get("generator") if same else None


def refuse_changed(experiment: ExperimentView, way_out: str = RESTORE) -> None:
    """Refuse to resume a run with other settings or data than it was started with.

    ``steps`` or ``epochs`` may be raised, unless the learning rate has begun to fall towards them;
    ``sample_val``, ``sample_tiles``, and what says when to look and what to keep, touch no weight.
    A key that did not exist when the run began counts as having had its default.

    Args:
        experiment: The experiment as it is asked for now.
        way_out: What to do where the change is meant.

    Raises:
        ConfigError: Lists what differs.
    """
    run = experiment.run
    if not run.run_json.is_file():
        return
    config = experiment.config
    changes = changed_settings(run, config, experiment.document)
    kept = read_run_json(run).get(EXCLUDED)
    same = kept is not None and kept["sha256"] == experiment.excluded.sha256
    # Of a list the names count: where it lies now is another place in another container.
    free = MAY_CHANGE | ({EXCLUDED} if same else set())
    found = [t for t in changes if t.split(":")[0].split(".")[0] not in free]
    then, now = _steps(files.read_json(run.resolved), experiment), experiment.STEPS
    begun = config.learning_rate_schedule.falling_after(min(then, now))
    if then != now and begun is not None and (done := _furthest(run)) > begun:
        key = "steps" if config.epochs is None else f"epochs {config.epochs}, in steps"
        change = f"{then} (there) against {now} (asked)"
        falls = f"falls towards the last of them, after {begun} steps of {done} that are done"
        found.append(f"{key}: {change}, and the learning rate {falls}")
    vgg, now_vgg = read_run_json(run).get("vgg"), vgg_identity(experiment)
    if vgg is not None and now_vgg is not None and vgg["sha256"] != now_vgg["sha256"]:
        found.append(f"vgg.weights: {now_vgg['file']} holds other weights")
    if kept is not None and not same and experiment.excluded.file:
        found.append(f"{EXCLUDED}: {experiment.excluded.file} names other tiles")
    if _other_data(experiment):
        phrase = _what_differs(experiment)
        found.append(f"the data set was built anew{phrase and f': {phrase}'}")
    if found:
        problem = f"changed since the run began: {'; '.join(found)}"
        raise ConfigError(problem, where=run.logs_dir, hint=f"undo it, or {way_out}")


def _furthest(run: Run) -> int:
    return max(steps_there(run.ckpt_dir), default=0)


def _steps(then: Settings, experiment: ExperimentView) -> int:
    """Steps in total by a run's own copy of its settings, over the data set it has now."""
    if "steps" in then:
        return int(then["steps"])
    epochs = experiment.EPOCHS
    known = read_run_json(experiment.run)["steps"] if epochs is None else None
    return int(epochs.steps(then["epochs"]) if known is None else known)


def changed_settings(run: Run, config: ExperimentFile, document: JsonDocument) -> list[str]:
    """A phrase for each key whose value differs between a run's own copy and ``config``.

    Where ``document`` was put together, the phrase names the file and line that holds the key.
    """
    then = {key: value for key, value in files.read_json(run.resolved).items() if key != SCHEMA}
    now = _known_then(settings(config), settings(config, given=True), then)
    found = differences(*numbers_in_force(then, now))
    return [text + _standing(document, text.split(":")[0]) for text in found]


def _standing(document: JsonDocument, name: str) -> str:
    key = tuple(name.split("."))
    composed = document.extended or document.options
    return f" at {document.place_of(key).where}" if composed and document.names(key) else ""


def edited_since(run: Run, gan_class: type) -> list[str]:
    """What became of experiment.json since a run began, which has a copy of its own.

    Args:
        run: The run.
        gan_class: Its model's class GAN, whose own defaults the run's copy holds.
    """
    try:
        source = run.exp_dir / "experiment.json"
        kept = kept_by_run(run.resolved, options_of(run))
        # Its losses were declared when it was trained.
        now, document = load_experiment_file(source, kept=kept, users_model=lambda _: True)
    except ConfigErrors as error:
        return [f"cannot be used any more ({error.problems[0]})"]
    changes = changed_settings(run, suited_config(now, document, gan_class), document)
    return [f"has changed since: {'; '.join(changes)}"] if changes else []


def settings(config: ExperimentFile, *, given: bool = False) -> Settings:
    """The settings of an experiment as JSON; ``given`` leaves out those at their default."""
    # Of the two that say how long to train the one that does.
    idle = {SCHEMA} if config.epochs is None else {SCHEMA, "steps"}
    return config.model_dump(mode="json", exclude=idle, exclude_defaults=given)


def refuse_other_data(experiment: ExperimentView) -> None:
    """Refuse to score a run on other data than it was trained on.

    Raises:
        ConfigError: The data set was built anew since.
    """
    if experiment.run.run_json.is_file() and _other_data(experiment):
        phrase = _what_differs(experiment)
        raise ConfigError(
            f"the data set was built anew since the run began: {phrase and f'{phrase}; '}"
            "what was test may have been train",
            where=experiment.dataset_dir,
            hint="restore the old data set, or train a new run",
        )


def _other_data(experiment: ExperimentView) -> bool:
    return bool(read_run_json(experiment.run)["dataset"] != dataset_identity(experiment))


def _what_differs(experiment: ExperimentView) -> str:
    """``input bands are B02, VV (reflectance, dB) there, …``, or masks; empty if none known."""
    there, here = form_of(experiment.run, experiment), data_form(experiment.contract)
    return (there and (other_bands(there, here) or other_masks(there, here))) or ""


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
    # The checkout that holds this package, not the folder the command runs in.
    root = Path(__file__).resolve().parents[2]

    def ask(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 - fixed arguments, program found by which
            [git, "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    # -uno: outputs beside the code change nothing that was run.
    commit, changed = ask("rev-parse", "HEAD"), ask("status", "--porcelain", "-uno")
    return {"commit": commit, "dirty": None if changed is None else bool(changed)}


def gpu_label(name: str, seen: int, used: int = 1) -> str:
    """What is said of the GPUs that train: without a strategy TensorFlow computes on the first."""
    if used > 1:
        return f"GPU ({name}, {used} of them)"
    return f"GPU ({name})" if seen == 1 else f"GPU ({name}, the first of {seen}; no other is used)"


def choose_device(require_gpu: bool, used: int = 1) -> str:
    """Name the devices that TensorFlow will use on this machine, ``used`` of them.

    Raises:
        ConfigError: The environment requires a GPU and TensorFlow sees none.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return gpu_label(details.get("device_name", gpus[0].name), len(gpus), used)
    if require_gpu:
        hint = "run `python -m sensor2sensor doctor`, or set require_gpu to false"
        raise ConfigError("require_gpu is true and TensorFlow sees no GPU", hint=hint)
    return "CPU"
