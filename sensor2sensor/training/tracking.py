"""The sink that Weights & Biases keeps; its own variables, as WANDB_MODE=offline, hold as ever."""

from __future__ import annotations

import io
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from sensor2sensor.core import files
from sensor2sensor.core.errors import MissingExtraError
from sensor2sensor.training.rows import EPOCH, Row

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

PROJECT = "sensor2sensor"
# MLflow's small package leaves its file to two others.
NEEDED = MappingProxyType({"wandb": ("wandb",), "mlflow": ("mlflow", "sqlalchemy", "alembic")})
IDENTITY = "wandb.json"
SAMPLES = "samples"
# vktr274/pix2pix-maps logged means over an epoch by these names, L1 without its weight; D's two
# parts are its own terms there, disc_bce_real and disc_bce_fake here.
PUBLISHED: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "own": {},
    "pix2pix-maps": {
        "epoch": "epoch",
        "total_gen_loss": "total_gen_loss",
        "gen_gan": "fake_d_real_class_loss",
        "gen_l1": "l1_loss",
        "total_disc_loss": "total_disc_loss",
        "disc_bce_real": "real_d_loss",
        "disc_bce_fake": "fake_d_loss",
        SAMPLES: "image",
    },
})  # fmt: skip


def refuse_untracked(environment: Environment) -> None:
    """Refuse to train where the tracker that is asked for is not installed.

    Raises:
        MissingExtraError: It is not.
    """
    asked = environment.tracking
    if asked is not None and any(find_spec(name) is None for name in NEEDED[asked]):
        raise MissingExtraError(
            f"tracking: {asked} is not installed",
            where=environment.path,
            hint=f"pip install -r requirements/{asked}.txt, or set tracking to null",
        )


class Tracker:
    """One run of Weights & Biases for one run of ours, however often that is resumed.

    Names are ``<kind>/<name>``; of rows of an epoch and of pictures the published ones, where asked
    for. Its steps are ours: it takes none twice, so what a resumed run repeats is ignored.

    Args:
        logs_dir: The run's folder of logs, which keeps the identity and W&B's own files.
        title: What the run is called there.
        settings: Of the experiment.
        names: One of :data:`PUBLISHED`.
    """

    name = "Weights & Biases"

    def __init__(
        self, logs_dir: Path, title: str, settings: Mapping[str, Any], names: str = "own"
    ) -> None:
        self._logs_dir, self._title, self._settings = logs_dir, title, settings
        self._names = PUBLISHED[names]

    def resume(self, start_step: int, rows: Sequence[Row]) -> None:
        """Begin the run there, or go on with it, and tell the rows that it lacks.

        A kill costs what its own process had not written yet: also rows of before the checkpoint.
        """
        import wandb

        self._wandb = wandb
        self._run = wandb.init(
            id=self._identity(),
            resume="allow",
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=self._title,
            config=dict(self._settings),
            dir=str(self._logs_dir),
            # What is printed belongs to the terminal; a wrapped stream would hide who writes.
            settings=wandb.Settings(console="off"),
        )
        known = self._run.step  # 0 offline, where it cannot know
        for row in rows:
            if row["step"] >= known:
                told = {name: v for name, v in row.items() if name not in ("step", "kind")}
                finite = {name: math.nan if v is None else v for name, v in told.items()}
                self.scalars(row["step"], row["kind"], finite)

    def _identity(self) -> str:
        path = self._logs_dir / IDENTITY
        if not path.is_file():
            files.write_json(path, {"id": uuid.uuid4().hex})
        return str(files.read_json(path)["id"])

    def scalars(self, step: int, kind: str, values: Mapping[str, float], **facts: float) -> None:
        """Add values and facts to what is known of a step."""
        known = self._names if kind == EPOCH else {}
        row = {known.get(name, f"{kind}/{name}"): v for name, v in {**facts, **values}.items()}
        self._run.log(row, step=step)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Add an encoded PNG."""
        from PIL import Image

        picture = self._wandb.Image(Image.open(io.BytesIO(png)))
        self._run.log({self._names.get(name, name): picture}, step=step)

    def histograms(self, step: int, values: Mapping[str, NDArray[Any]]) -> None:
        """Add a histogram for each name."""
        made = {name: self._wandb.Histogram(found) for name, found in values.items()}
        self._run.log(made, step=step)

    def flush(self) -> None:
        """Nothing: another process writes, and outlives this one."""

    def close(self, *, failed: bool) -> None:
        """End the run there."""
        self._run.finish(exit_code=int(failed))
