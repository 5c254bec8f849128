"""A small experiment to construct a model with: a real contract and real settings, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from experiment import UNSTARTED, Experiment
from sensor2sensor.config.environment import Environment, EnvironmentFile
from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.config.experiment_file import ExperimentFile
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
_OF_CONTRACT = {"sentinel3", "input_ranges", "target_ranges", "bands"}


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
        self.contract, self.excluded = dataset, Excluded()
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
    gen_loss: Mapping[str, float | None] | None = None,
    disc_loss: Mapping[str, float | None] | None = None,
    logs: Path | str = "logs",
    **settings: Any,
) -> Probe:
    """An experiment for a model to be constructed with.

    What contradicts itself is let through, as losses of a discriminator that is not there: a
    model has to refuse it by itself.

    Args:
        size: Tile size, rows and columns, pixels.
        gen_loss: Weights of the generator's losses; None: the defaults of ``experiment.json``.
        disc_loss: Weights of the discriminator's losses; None: binary cross-entropy.
        logs: Folder for a model's own summaries; it is not created here.
        **settings: Further keys of ``experiment.json``, with values as ``ExperimentFile`` has
            them, and further arguments of :func:`contract`.

    Raises:
        TypeError: A setting is neither.
    """
    data = {key: settings.pop(key) for key in _OF_CONTRACT & settings.keys()}
    unknown = settings.keys() - ExperimentFile.model_fields.keys()
    if unknown:  # model_construct() looks at nothing
        raise TypeError(f"no key of experiment.json: {', '.join(sorted(unknown))}")
    chosen = {"img_height": size, "img_width": size, "steps": 5, "batch_size": 2, **settings}
    if gen_loss or chosen.get("discriminator", "as by default") is None:
        chosen["gen_loss"] = GeneratorLosses(**(gen_loss or {"gen_l1": 100.0}))
    if disc_loss:
        chosen["disc_loss"] = DiscriminatorLosses(**disc_loss)
    config = ExperimentFile.model_construct(
        model_name="probe", dataset="probe", tilesize=size, **chosen
    )
    return Probe(config, contract(tile_px=size, **data), logs)


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
