"""The shipped experiments by model, for the table of the documentation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from models.loading import FOLDER
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file

EXPERIMENTS = FOLDER.parent / "examples" / "experiments"
# The published weights first, then what is only shown.
_ORDER = ("arisgan", "demo", "real")
_SPOKEN = {
    "gen_gan": "GAN",
    "gen_nll": "−log D",
    "gen_ssim": "SSIM",
    "gen_l1": "L1",
    "gen_l2": "L2",
    "gen_rmse": "RMSE",
    "gen_wstein": "Wasserstein term",
    "gen_lsgan": "LSGAN",
    "gen_ragan": "RaGAN",
    "gen_fm": "feature matching",
}


@dataclass(frozen=True)
class Shipped:
    """A shipped experiment.

    Attributes:
        path: Its ``experiment.json``.
        text: The generator's losses with their weights.
    """

    path: Path
    text: str

    def link(self, folder: Path) -> str:
        """The file as seen from ``folder``."""
        return Path(os.path.relpath(self.path, folder)).as_posix()


def shipped_recipes() -> dict[str, Shipped]:
    """By model the first shipped experiment that uses it."""
    found: dict[str, Shipped] = {}
    for collection in _ORDER:
        for path in sorted((EXPERIMENTS / collection).rglob("experiment.json")):
            config, _ = load_experiment_file(path)
            found.setdefault(config.model_name, Shipped(path, _losses(config)))
    return found


def _losses(config: ExperimentFile) -> str:
    weights = {name: weight for name, weight in config.gen_loss if weight}
    order = sorted(weights, key=lambda name: -weights[name])
    return " + ".join(f"{weights[name]:g} {_SPOKEN.get(name, name)}" for name in order)
