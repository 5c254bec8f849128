"""A small experiment for the models: a real contract and real loss weights, no files."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from experiment import LossWeights
from sensor2sensor.config.experiment_file import (
    DiscriminatorLosses,
    DiscriminatorSettings,
    GeneratorLosses,
    Schedule,
)
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.pipeline.normalisation import Normalisation

S2 = {"B02": 492.4, "B03": 559.8, "B04": 664.6}
OLCI_NM = (400, 412.5, 442.5, 490, 510, 560, 620, 665, 673.75, 681.25, 708.75, 753.75, 761.25)
OLCI_NM += (764.375, 767.5, 778.75, 865, 885, 900, 940, 1020)
OLCI = {f"Oa{number:02d}": nm for number, nm in enumerate(OLCI_NM, start=1)}


def _statistics(low, high):
    return {
        "low": low,
        "high": high,
        "minimum": low,
        "maximum": high,
        "mean": (low + high) / 2,
        "std": (high - low) / 4,
        "count": 100,
    }


def _bands(wavelengths, unit):
    return [
        {
            "name": name,
            "unit": unit,
            "wavelength_nm": nm,
            "scale": 1.0,
            "offset": 0.0,
            "nodata": None,
        }
        for name, nm in wavelengths.items()
    ]


def contract(*, tile_px=64, sentinel3=False, input_ranges=None, target_ranges=None, bands=S2):
    """A valid contract of a degraded (3 bands) or a Sentinel-3 (21 bands) data set."""
    inputs = OLCI if sentinel3 else bands
    input_ranges = input_ranges or [(0.0, 1.0)] * len(inputs)
    target_ranges = target_ranges or [(0.0, 1.0)] * len(bands)
    return DatasetContract.model_validate_json(
        _json(
            {
                "format_version": 1,
                "name": "standin",
                "kind": "sentinel3" if sentinel3 else "degraded",
                "tile_px": tile_px,
                "resolution_m": 10.0,
                "factor": 30.0 if sentinel3 else 6.0,
                "input": {
                    "layout": "pixels",
                    "bands": _bands(inputs, "mW m-2 sr-1 nm-1" if sentinel3 else "reflectance"),
                    "dtype": "float32",
                    "index_dtype": "int32",
                    "max_pixels": 400,
                    "grid": None if sentinel3 else [11, 11],
                    "pixel_m": 300.0 if sentinel3 else 60.0,
                },
                "target": {"bands": _bands(bands, "reflectance"), "dtype": "uint16"},
                "extras": [],
                "splits": {split: {"count": 1, "blocks": 1} for split in ("train", "val", "test")},
                "statistics": {
                    "input": [_statistics(*ends) for ends in input_ranges],
                    "target": [_statistics(*ends) for ends in target_ranges],
                },
                "split_policy": {
                    "by": "block",
                    "seed": 0,
                    "train_ratio": 0.9,
                    "val_ratio": 0.05,
                    "block_tiles": 4.0,
                    "block_m": 2560.0,
                    "dropped": 0,
                    "refused": 0,
                    "ground_shared": {},
                },
                "degradation": None,
                "split_csv_sha256": "0" * 64,
                "provenance": {},
            }
        )
    )


def _json(content):
    import json

    return json.dumps(content)


def experiment(
    *,
    size=64,
    width_px=None,
    sentinel3=False,
    params=None,
    gen_loss=None,
    disc_loss=None,
    normalisation="symmetric",
    learning_rate=2e-4,
    seed=0,
    logs="logs",
    steps=5,
    discriminator=DiscriminatorSettings(),  # noqa: B008 - frozen
    generator_warmup=0,
    schedule=Schedule(),  # noqa: B008 - frozen
    beta_1=None,
    gradient_clip=None,
    ema=None,
    **ranges,
):
    """What ``experiment.Experiment`` exposes to a model."""
    dataset = contract(tile_px=size, sentinel3=sentinel3, **ranges)
    bands = {side: getattr(dataset, side).bands for side in ("input", "target")}
    gen_weights = GeneratorLosses(**(gen_loss or {"gen_gan": 1.0, "gen_l1": 100.0}))
    disc_weights = DiscriminatorLosses(**(disc_loss or {"disc_bce": 1.0}))
    low, high = Normalisation(normalisation, dataset).output_range
    return SimpleNamespace(
        contract=dataset,
        IMG_HEIGHT=size,
        IMG_WIDTH=width_px or size,
        TILESIZE=size,
        INPUT_CHANNELS=len(bands["input"]),
        OUTPUT_CHANNELS=len(bands["target"]),
        INPUT_BANDS=tuple(band.name for band in bands["input"]),
        OUTPUT_BANDS=tuple(band.name for band in bands["target"]),
        INPUT_WAVELENGTHS_NM=tuple(band.wavelength_nm for band in bands["input"]),
        OUTPUT_WAVELENGTHS_NM=tuple(band.wavelength_nm for band in bands["target"]),
        SCALE=dataset.factor,
        BATCH_SIZE=2,
        STEPS=steps,
        SEED=seed,
        PARAMS=params or {},
        NORMALISATION=normalisation,
        INPUT_UPSAMPLING="nearest",
        OUTPUT_RANGE=(low, high),
        LEARNING_RATE=learning_rate,
        LEARNING_RATE_SCHEDULE=schedule,
        BETA_1=beta_1,
        GRADIENT_CLIP=gradient_clip,
        EMA=ema,
        DISCRIMINATOR=discriminator,
        GEN_LOSS=LossWeights(gen_weights.model_dump(), high - low, low, generator_warmup),
        DISC_LOSS=LossWeights(disc_weights.model_dump(), high - low, low),
        output=SimpleNamespace(LOGS=str(logs), CKPT="ckpt", SAMPLES="samples", MODEL="model"),
    )


def batch(exp, count=2, seed=0):
    """A random normalised pair ``(input, target)`` in [-1, 1]."""
    generator = np.random.default_rng(seed)
    shape = (count, exp.IMG_HEIGHT, exp.IMG_WIDTH)
    pair = [
        generator.uniform(-1, 1, (*shape, channels)).astype(np.float32)
        for channels in (exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS)
    ]
    return pair[0], pair[1]
