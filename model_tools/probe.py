"""A small experiment to construct a model with: a real contract and real settings, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from experiment import UNSTARTED, Experiment
from sensor2sensor.config.environment import Environment, EnvironmentFile
from sensor2sensor.config.experiment_file import (
    DiscriminatorSettings,
    ExperimentFile,
    Schedule,
)
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.weights import DiscriminatorLosses, GeneratorLosses
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.contract import DatasetContract

# Central wavelengths of Sentinel-2A, and the nominal ones of the 21 bands of OLCI.
S2 = {"B02": 492.4, "B03": 559.8, "B04": 664.6}
OLCI_NM = (400, 412.5, 442.5, 490, 510, 560, 620, 665, 673.75, 681.25, 708.75, 753.75, 761.25)
OLCI_NM += (764.375, 767.5, 778.75, 865, 885, 900, 940, 1020)
OLCI = {f"Oa{number:02d}": nm for number, nm in enumerate(OLCI_NM, start=1)}

Ranges = Sequence[tuple[float, float]]
_ADVERSARIAL = {"gen_gan": 1.0, "gen_l1": 100.0}
_REGRESSION = {"gen_l1": 100.0}


class Probe(Experiment):
    """An experiment that reads no file: every property is that of :class:`Experiment`.

    Args:
        config: What would stand in ``experiment.json``.
        dataset: What would stand in ``dataset.json``.
        logs: Folder for the summaries of a model that writes its own.
    """

    def __init__(self, config: ExperimentFile, dataset: DatasetContract, logs: Path | str) -> None:
        folder = Path(logs).parent
        self.environment = Environment(folder / "environment.json", EnvironmentFile())
        self.exp_dir = folder
        self.name = "probe"
        self.config = config
        self.document = JsonDocument(folder / "experiment.json", {}, "{}")
        self.dataset_dir = folder / dataset.name
        self.contract = dataset
        self.run = Run(folder, UNSTARTED)
        self.output = SimpleNamespace(
            LOGS=str(logs),
            CKPT=str(folder / "ckpt"),
            SAMPLES=str(folder / "samples"),
            MODEL=str(folder / "model"),
        )
        self._frozen = True


def experiment(
    *,
    size: int = 64,
    width_px: int | None = None,
    sentinel3: bool = False,
    params: Mapping[str, Any] | None = None,
    gen_loss: Mapping[str, float | None] | None = None,
    disc_loss: Mapping[str, float | None] | None = None,
    normalisation: str = "symmetric",
    learning_rate: float = 2e-4,
    seed: int = 0,
    logs: Path | str = "logs",
    steps: int = 5,
    batch_size: int = 2,
    discriminator: DiscriminatorSettings | None = DiscriminatorSettings(),  # noqa: B008 - frozen
    generator_warmup: int = 0,
    schedule: Schedule = Schedule(),  # noqa: B008 - frozen
    beta_1: float | None = None,
    gradient_clip: float | None = None,
    ema: float | None = None,
    precision: str = "float32",
    **ranges: Any,
) -> Probe:
    """An experiment for a model to be constructed with.

    What contradicts itself is let through, as losses of a discriminator that is not there: a
    model has to refuse it by itself.

    Args:
        size: Tile size and rows, pixels.
        width_px: Columns; None: as many as rows.
        sentinel3: 21 OLCI bands as input instead of 3 degraded Sentinel-2 bands.
        params: Parameters of the model.
        gen_loss: Weights of the generator's losses; None: the defaults of ``experiment.json``.
        disc_loss: Weights of the discriminator's losses; None: binary cross-entropy.
        normalisation: One of ``config.vocabulary.NORMALISATIONS``.
        learning_rate: Step size.
        seed: Seed of every draw.
        logs: Folder for a model's own summaries; it is not created here.
        steps: Training steps in total.
        batch_size: Tiles per step.
        discriminator: Its settings, or None for plain regression.
        generator_warmup: Steps before adversarial terms count.
        schedule: How the learning rate changes.
        beta_1: Adam's β1, or None for the model's own.
        gradient_clip: Largest global norm of a gradient, or None.
        ema: Decay of averaged weights, or None.
        precision: ``float32`` or ``mixed_bfloat16``.
        **ranges: Further arguments of :func:`contract`.
    """
    default = _REGRESSION if discriminator is None else _ADVERSARIAL
    config = ExperimentFile.model_construct(
        model_name="probe",
        dataset="probe",
        tilesize=size,
        img_height=size,
        img_width=width_px or size,
        steps=steps,
        batch_size=batch_size,
        params=dict(params or {}),
        gen_loss=GeneratorLosses(**(gen_loss or default)),
        disc_loss=DiscriminatorLosses(**(disc_loss or {"disc_bce": 1.0})),
        discriminator=discriminator,
        generator_warmup=generator_warmup,
        normalisation=normalisation,
        seed=seed,
        learning_rate=learning_rate,
        learning_rate_schedule=schedule,
        beta_1=beta_1,
        gradient_clip=gradient_clip,
        ema=ema,
        precision=precision,
    )
    return Probe(config, contract(tile_px=size, sentinel3=sentinel3, **ranges), logs)


def batch(exp: Experiment, count: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A random normalised pair ``(input, target)`` in [-1, 1], each ``[count, H, W, C]``."""
    generator = np.random.default_rng(seed)
    shape = (count, exp.IMG_HEIGHT, exp.IMG_WIDTH)
    pair = [
        generator.uniform(-1, 1, (*shape, channels)).astype(np.float32)
        for channels in (exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS)
    ]
    return pair[0], pair[1]


def contract(
    *,
    tile_px: int = 64,
    sentinel3: bool = False,
    input_ranges: Ranges | None = None,
    target_ranges: Ranges | None = None,
    bands: Mapping[str, float] = S2,
) -> DatasetContract:
    """A valid contract of a degraded (3 bands) or a Sentinel-3 (21 bands) data set.

    Args:
        tile_px: Side of the target's tiles, pixels.
        sentinel3: Whether the input is OLCI.
        input_ranges: Lower and upper end of every input band; None: 0 to 1.
        target_ranges: The same of every target band.
        bands: The target's bands with their wavelengths in nm; also the input's, if degraded.
    """
    inputs = OLCI if sentinel3 else bands
    ranges = {
        "input": input_ranges or [(0.0, 1.0)] * len(inputs),
        "target": target_ranges or [(0.0, 1.0)] * len(bands),
    }
    unit = "mW m-2 sr-1 nm-1" if sentinel3 else "reflectance"
    gap = {"name": "time_gap_h", "dtype": "float32", "shape": [], "unit": "h"}  # as step 50 has it
    content = {
        "format_version": 1,
        "name": "probe",
        "kind": "sentinel3" if sentinel3 else "degraded",
        "tile_px": tile_px,
        "resolution_m": 10.0,
        "factor": 30.0 if sentinel3 else 6.0,
        "input": _input(_bands(inputs, unit), sentinel3),
        "target": {"bands": _bands(bands, "reflectance"), "dtype": "uint16"},
        "extras": [gap] if sentinel3 else [],
        "splits": {split: {"count": 1, "blocks": 1} for split in ("train", "val", "test")},
        "statistics": {side: [_statistics(*e) for e in ends] for side, ends in ranges.items()},
        "split_policy": _split_policy(),
        "degradation": None,
        "split_csv_sha256": "0" * 64,
        "provenance": {},
    }
    return DatasetContract.model_validate(content, strict=False)


def _input(bands: list[dict[str, Any]], sentinel3: bool) -> dict[str, Any]:
    return {
        "layout": "pixels",
        "bands": bands,
        "dtype": "float32",
        "index_dtype": "int32",
        "max_pixels": 400,
        "grid": None if sentinel3 else (11, 11),  # 64 pixels by 6, rounded up
        "pixel_m": 300.0 if sentinel3 else 60.0,
    }


def _bands(wavelengths: Mapping[str, float], unit: str) -> list[dict[str, Any]]:
    fixed = {"unit": unit, "scale": 1.0, "offset": 0.0, "nodata": None}
    return [{"name": name, "wavelength_nm": nm, **fixed} for name, nm in wavelengths.items()]


def _statistics(low: float, high: float) -> dict[str, float]:
    return {
        "low": low,
        "high": high,
        "minimum": low,
        "maximum": high,
        "mean": (low + high) / 2,
        "std": (high - low) / 4,
        "count": 100,
    }


def _split_policy() -> dict[str, Any]:
    return {
        "by": "block",
        "seed": 0,
        "train_ratio": 0.9,
        "val_ratio": 0.05,
        "block_tiles": 4.0,
        "block_m": 2560.0,
        "dropped": 0,
        "refused": 0,
        "ground_shared": {},
    }
