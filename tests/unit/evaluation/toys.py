"""A tiny data set, made once a process, and predictors with known properties."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.output import Subject
from tests.fakes_dataset import make_dataset


@lru_cache(maxsize=4)
def dataset(kind="degraded"):
    """Folder and contract of a data set of 64-pixel tiles with five test tiles."""
    root = Path(tempfile.mkdtemp(prefix="evaluation-"))
    folder = make_dataset(root, kind=kind, name=f"toy_{kind}", train=6, val=2, test=5)
    return folder, load_contract(folder)


def truth(tiles):
    return np.stack([tile.target for tile in tiles])


class Made:
    """A predictor from a function of tiles."""

    normalised = False

    def __init__(self, predict):
        self.predict = predict

    def __call__(self, tiles):
        return self.predict(tiles)

    def describe(self):
        return {"method": "made up"}


perfect = Made(truth)


def noisy(amount):
    """Truth plus noise that depends on the tile's name alone."""

    def predict(tiles):
        images = []
        for tile in tiles:
            rng = np.random.default_rng(list(tile.name.encode()))
            images.append(tile.target + rng.normal(0, amount, tile.target.shape))
        return np.stack(images).astype(np.float32)

    return Made(predict)


def subject(**changes):
    given = {
        "experiment": "sis2/alt6/l1",
        "timestamp": "0715-0930",
        "model_name": "edsr",
        "step": 300,
        "dataset": "alt6_toy",
        "dataset_sha256": "ab" * 32,
        "filters": {"enforce_suffix": None, "exclude_suffix": None},
    }
    return Subject(**{**given, **changes})
