"""The training steps that the benchmarks hold against each other, built alike.

``plain`` is :mod:`benchmarks.plain`; ``float32``, ``bfloat16`` and ``bfloat16+xla`` are this
repository's model as an experiment has it, the last with ``"jit_compile": true``.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PLAIN, FLOAT32, BFLOAT16, XLA = "plain", "float32", "bfloat16", "bfloat16+xla"
SIDES = (PLAIN, FLOAT32, BFLOAT16, XLA)
OLCI_BANDS = 21
# As the papers train them: Isola et al. 2017, and ARISGAN's published experiments.
LOSSES = {
    "pix2pix": {"gen_gan": 1.0, "gen_l1": 100.0},
    "aris-a": {"gen_ssim": 100.0, "gen_l1": 50.0, "gen_wstein": 100.0},
    "edsr": {"gen_l1": 1.0},
}


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        model: Name in ``models/``.
        size: Side of the images, pixels.
        batch: Images in a batch.
        channels: Of the input: 3, or 21 for Sentinel-3.
        params: The model's own settings.
    """

    model: str
    size: int
    batch: int
    channels: int = 3
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As results call it."""
        return f"{self.model} {self.size} px batch {self.batch}"


class Side:
    """A built model of one side and its step.

    Args:
        name: One of :data:`SIDES`.
        case: What is trained.
        seed: Of the initial weights and of dropout.
    """

    def __init__(self, name: str, case: Case, seed: int = 0) -> None:
        import tensorflow as tf

        self.name, self.case = name, case
        shape = (case.batch, case.size, case.size)
        self.form = {
            "input": tf.TensorSpec((*shape, case.channels), tf.float32),
            "target": tf.TensorSpec((*shape, 3), tf.float32),
        }
        make = self._plain if name == PLAIN else self._ours
        self.gan, self.function = make(seed)
        self.done = 0

    def _plain(self, seed: int) -> tuple[Any, Any]:
        from benchmarks.plain import PlainGAN

        case = self.case
        self._folder = tempfile.TemporaryDirectory()
        gan = PlainGAN(
            case.model, case.size, (case.channels, 3), LOSSES[case.model], **case.params,
            logs=Path(self._folder.name), seed=seed,
        )  # fmt: skip
        return gan, gan.train_step

    def _ours(self, seed: int) -> tuple[Any, Any]:
        from model_tools.probe import experiment
        from models.loading import load_gan_class
        from sensor2sensor.pipeline.precision import computing_in
        from sensor2sensor.training.compiled import compiled_step

        case = self.case
        view = experiment(
            size=case.size, batch_size=case.batch, params=case.params, seed=seed,
            sentinel3=case.channels == OLCI_BANDS, gen_loss=LOSSES[case.model],
            disc_loss={"disc_bce": 1.0},
        )  # fmt: skip
        with computing_in("float32" if self.name == FLOAT32 else "mixed_bfloat16"):
            gan = load_gan_class(case.model)(view)
        return gan, compiled_step(gan, self.form, jit_compile=self.name == XLA).function

    def begin_as(self, other: Side) -> None:
        """Take the weights and moments of another that has not trained: no step is traced anew."""
        for mine, its in zip(self.variables, other.variables, strict=True):
            mine.assign(its)
        self.done = 0

    @property
    def variables(self) -> list[Any]:
        """Of networks and optimizers, the state of dropout with them."""
        gan = self.gan
        parts = (gan.generator, gan.discriminator, gan.generator_optimizer)
        found = [
            v for part in (*parts, gan.discriminator_optimizer) if part for v in part.variables
        ]
        return found + [
            layer.seed_generator.state
            for layer in _layers(gan.generator)
            if hasattr(layer, "seed_generator")
        ]

    def step(self, batch: tuple[Any, Any]) -> dict[str, Any]:
        """Train on ``(input, target)``; the losses, not yet waited for."""
        import tensorflow as tf

        self.done += 1
        return self.function(*batch, tf.constant(self.done - 1, tf.int64))

    def steps(self, batches: list[tuple[Any, Any]], count: int) -> float:
        """Train ``count`` steps over the batches in turn; the last loss, so that all is done."""
        for number in range(count):
            losses = self.step(batches[number % len(batches)])
        return float(losses["total_gen_loss"])

    def concrete(self) -> Any:
        """The traced step, to be counted."""
        import tensorflow as tf

        number = tf.TensorSpec([], tf.int64)
        return self.function.get_concrete_function(*self.form.values(), number)


def _layers(network: Any) -> list[Any]:
    """Every layer of a network, those in chains too."""
    return [one for one in network._flatten_layers() if one is not network]


def batches_of(case: Case, count: int, seed: int = 0) -> list[tuple[Any, Any]]:
    """Batches in [-1, 1] held in memory: smooth pictures, and inputs that are blurred from them.

    There is something to learn, as in a data set, and nothing to read: what a step takes is not
    mixed with what a reader takes.
    """
    import tensorflow as tf

    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        target = np.stack([_picture(draw, case.size) for _ in range(case.batch)])
        coarse = target.reshape(case.batch, case.size // 8, 8, case.size // 8, 8, 3).mean((2, 4))
        blurred = coarse.repeat(8, axis=1).repeat(8, axis=2)
        bands = np.resize(np.arange(3), case.channels)
        made.append((tf.constant(blurred[..., bands]), tf.constant(target)))
    return made


def _picture(draw: np.random.Generator, size: int) -> np.ndarray:
    """Waves and edges ``[size, size, 3]``, float32."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    picture = np.zeros((size, size, 3), np.float32)
    for _ in range(6):
        angle, cycles, phase = draw.uniform(0, 2 * math.pi, 3) * (1, 3, 1)
        wave = np.sin(cycles * (x * math.cos(angle) + y * math.sin(angle)) + phase)
        colour = draw.uniform(-0.3, 0.3, 3).astype(np.float32)
        picture += np.where(draw.uniform() < 0.5, wave, np.sign(wave))[..., None] * colour
    return np.clip(picture, -1, 1).astype(np.float32)
