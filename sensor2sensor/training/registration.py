"""Key ``registration``: a run of the model ``registration``, taken as it is, not trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core import files
from sensor2sensor.core.errors import CheckpointError, ConfigError, InputError
from sensor2sensor.core.runs import Run, read_run_json
from sensor2sensor.dataset import calibration
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.upsampling import OWN_GRID
from sensor2sensor.networks.flow import DEFAULTS, NAME, flow_network
from sensor2sensor.pipeline import bicubic, psf
from sensor2sensor.pipeline.registration import Registrar, bands_of
from sensor2sensor.training.checkpoints import (
    ARCHITECTURE,
    DAMAGE,
    VALUE,
    checkpoint_steps,
    members,
    neighbours,
    opened,
    reason_of,
)
from sensor2sensor.training.contract import ExperimentView
from sensor2sensor.training.shared_ground import shared_ground
from sensor2sensor.training.stages import Batch, Stage
from sensor2sensor.training.start import named_run
from sensor2sensor.training.state import TrainingState, architecture_differences

logger = logging.getLogger(__name__)

KEY, MODEL = "registration.run", "registration"
GROUP, OPTIMIZER = "generator", "generator_optimizer"


class RegistrationError(CheckpointError, ConfigError):
    """The registration that an experiment asks for cannot be used; ``where`` is the key."""


def registration_stage(experiment: ExperimentView) -> Stage:
    """The stage that moves targets onto inputs; one that does nothing where ``train`` is false."""
    # Made in any case: what does not fit is told before the first step and not at the end.
    registrar = experiment.REGISTRAR
    if not experiment.config.registration.train:
        return lambda batch, step: batch

    def stage(batch: Batch, step: Any) -> Batch:
        # Degraded samples lie where they should: the stage before says which those are.
        target, found = registrar(batch["input"], batch["target"], batch.get("real"))
        return {**batch, "target": target, "flow": found}

    return stage


def noted(experiment: ExperimentView) -> dict[str, Any]:
    """The entry of ``run.json`` on the registration; none without one."""
    registrar = experiment.REGISTRAR
    return {} if registrar is None else {MODEL: dict(registrar.origin)}


def registrar_of(experiment: Any) -> Registrar:
    """The registration that an experiment names; its ``origin`` is what ``run.json`` keeps.

    A run that goes on, or is evaluated, has the checkpoint it began with, whatever the key has
    come to mean since.

    Raises:
        ConfigError: There is no such run, or it does not fit; every difference is named.
        RegistrationError: Its weights are not there, not those of then, or of another network.
    """
    asked, own = experiment.config.registration, experiment.run
    kept = read_run_json(own).get(MODEL) if own.run_json.is_file() else None
    run = Run(Path(kept["experiment"]), kept["timestamp"]) if kept else _find(experiment)
    there = _noted(run)
    problems = list(_differences(experiment, there))
    if problems:
        named = f"'{asked.run}' cannot register '{experiment.contract.name}'"
        raise ConfigError(f"{named}: {'; '.join(problems)}", where=KEY, hint="train one on pairs")
    compat = experiment.config.compat
    chosen = {k: v[0] if isinstance(v, tuple) else v for k, v in DEFAULTS.items()}
    network = flow_network(
        {**chosen, **there["params"]}, 0, coefficient=bicubic.coefficient_of(there["compat"])
    )
    origin = load_flow(network, run, kept)
    network.trainable = False
    bands = bands_of(experiment.contract, there["band"], _mtf(experiment))
    how = {"radiometric": asked.radiometric, "compat": compat}
    return Registrar(network, bands, origin=origin, **how)


def _find(experiment: Any) -> Run:
    """The run that the key names, where the experiment lies or where its environment says."""
    asked = experiment.config.registration.run, (MODEL, "run"), experiment.document
    homes: list[Environment] = [experiment.environment]
    # A trial (--smoke) has a folder of experiments to itself.
    if experiment.environment.path.is_file():
        homes.append(load_environment(experiment.environment.path))
    for home in homes[:-1]:
        try:
            return named_run(*asked, home)
        except (ConfigError, InputError):
            # What lies there and cannot be used is what was meant: another's absence says nothing.
            if _lies_in(asked[0], home):
                raise
    return named_run(*asked, homes[-1])


def _lies_in(named: str, home: Environment) -> bool:
    """Whether there is an experiment of this name, or of it without a run, in an environment."""
    folder = home.experiment_root / named.strip("/")
    return any((at / "experiment.json").is_file() for at in (folder, folder.parent))


def _noted(run: Run) -> dict[str, Any]:
    """What a run says of itself: model, its params, the band and the pixels it learned on."""
    content, settings = read_run_json(run), files.read_json(run.resolved)
    form = content.get("data") or {}
    return {
        "model": settings["model_name"],
        "params": settings["params"],
        "compat": settings.get("compat"),
        "band": form["target"][0]["name"] if form.get("target") else None,
        "unit": form["target"][0]["unit"] if form.get("target") else None,
        "pixel_m": form.get("pixel_m"),
        "folder": content["dataset"]["name"] + "/" + str(settings["tilesize"]),
    }


def _differences(experiment: Any, there: Mapping[str, Any]) -> Iterator[str]:
    """A phrase for everything in which a registration and an experiment do not fit."""
    if there["model"] != MODEL:
        yield f"its model is '{there['model']}', not '{MODEL}'"
        return
    contract, config = experiment.contract, experiment.config
    yield from _other_bands(contract, there)
    shape = contract.input_px
    if shape is None or contract.tile_px % shape[0] or contract.tile_px == shape[0]:
        yield "the input has no regular grid coarser than the target's"
    elif None not in (there["pixel_m"], contract.input.pixel_m) and not np.isclose(
        there["pixel_m"], contract.input.pixel_m
    ):
        here = contract.input.pixel_m
        yield f"it learned on pixels of {there['pixel_m']:g} m, the input has {here:g} m"
    # Windows of a repeated input begin within its pixels, by up to half of one off the target.
    if config.input_upsampling != OWN_GRID:
        yield f"input_upsampling '{config.input_upsampling}' hides the input's own pixels: 'none'"
    elif not config.random_crop and {config.height, config.width} != {contract.tile_px}:
        size = f"{config.height} x {config.width}"
        yield f"tiles of {contract.tile_px} resized to {size} have other pixels: random_crop true"
    folder = experiment.dataset_dir.parent.parent / there["folder"]
    parts = calibration.parts_of(experiment)
    if parts is not None:
        kept, _ = shared_ground(folder, experiment.dataset_dir, contract, parts.calibrating)
        if kept:
            yield f"it was trained on ground that calibrates here: {', '.join(kept[:4])}"
    shared, unknown = shared_ground(folder, experiment.dataset_dir, contract)
    if shared:
        yield f"it was trained on ground that is test here: {', '.join(shared[:4])}"
    elif unknown:
        known = f"whether '{config.registration.run}' was trained on ground that is test here"
        logger.warning("%s is not known: %s", known, unknown)


def _other_bands(contract: DatasetContract, there: Mapping[str, Any]) -> Iterator[str]:
    band, unit = there["band"], there["unit"]
    for side in ("input", "target"):
        bands = {one.name: one for one in getattr(contract, side).bands}
        if band not in bands:
            yield f"its band '{band}' is none of the {side} ({', '.join(bands)})"
        elif bands[band].unit != unit:
            yield f"its band '{band}' is in {unit}, that of the {side} in {bands[band].unit}"
        elif bands[band].native_px > 1 or not bands[band].reference:
            yield f"band '{band}' of the {side} was not measured on its grid"


def _mtf(experiment: Any) -> list[float]:
    """Of each target band: as ``fidelity_mtf`` says, else Sentinel-2's, else a common 0.2.

    A registration compares detail, which does not move with the sharpness it is seen by.
    """
    names, stated = list(experiment.OUTPUT_BANDS), experiment.config.fidelity_mtf
    if stated is None:
        return [psf.MTF.get(psf.short(name), 0.2) for name in names]
    given: list[float] = [float(one) for one in psf.mtf_of(names, stated, "fidelity_mtf")]
    return given


def load_flow(network: Any, source: Run, then: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Give a flow network the weights of the newest checkpoint of a registration.

    Args:
        network: It, built.
        source: The run; its averaged weights where it keeps averages.
        then: What a run noted when it began: the same checkpoint is taken.

    Returns:
        What ``run.json`` keeps: folder of the experiment, run, checkpoint, step, weights, SHA-256.

    Raises:
        RegistrationError: There is none, it is damaged or not that of then, or its network is
            another; every difference is listed.
    """
    folder = source.ckpt_dir
    steps = checkpoint_steps(folder)
    step = steps[-1] if steps and then is None else int(then["step"]) if then else -1
    if step not in steps:
        raise RegistrationError(f"{folder}: no such checkpoint", where=KEY, hint=neighbours(folder))
    digests = {path.name: files.sha256(path) for path in members(folder, step)}
    if then is not None and digests != then["sha256"]:
        hint = "restore it from a backup, or start a new run"
        problem = f"{folder}: checkpoint {step} is not the one that this run began with"
        raise RegistrationError(problem, where=KEY, hint=hint)
    # The group also holds what the warp is applied to, which is not the network's.
    stored = files.read_json(folder / ARCHITECTURE)["variables"]
    own = [(n, one) for n, one in enumerate(stored[GROUP]) if one["name"].startswith(f"{NAME}_")]
    state = TrainingState(SimpleNamespace(generator=network), only=(GROUP,))
    there = {GROUP: [one for _, one in own]}
    found = architecture_differences(there, state.architecture(), most=None)
    if found:
        problem = f"{folder} holds another network: {'; '.join(found)}"
        raise RegistrationError(problem, where=KEY, hint="name a run of this version")
    averages = [
        place
        for place, one in enumerate(stored.get(OPTIMIZER, []))
        if one["name"].split(":")[0].endswith("_average")
    ]
    group, places = (OPTIMIZER, averages) if averages else (GROUP, [n for n, _ in own])
    try:
        with opened(folder, step) as reader:
            values = [reader.get_tensor(f"{group}/{place}/{VALUE}") for place in places]
    except DAMAGE as error:
        problem = f"{folder}: checkpoint {step} was not read ({reason_of(error)})"
        raise RegistrationError(problem, where=KEY, hint="name another run") from error
    for variable, value in zip(state.groups[GROUP], values, strict=True):
        variable.assign(value)
    return {
        "experiment": str(source.exp_dir),
        "timestamp": source.timestamp,
        "checkpoint": f"ckpt-{step}",
        "step": step,
        "weights": "averaged" if averages else "last",
        "sha256": digests,
    }
