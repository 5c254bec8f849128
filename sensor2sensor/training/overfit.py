"""``train.py --overfit N``: whether model and data can learn at all, told in a minute.

A network that cannot bring down its error on a handful of tiles, which it sees again and again
without augmentation, will not on thousands. The usual causes are a learning rate or a weight that
is off by powers of ten, inputs and targets that do not belong together, and values that the model
cannot reach.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.cli import EXIT_DONE, EXIT_SOME_FAILED

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.training.start import Start
    from sensor2sensor.training.time_limit import TimeLimit

STEPS = 200
# Measured with tiny networks on 8 tiles of 64 pixels: pix2pix went to 0.18 of its beginning, edsr,
# which begins as an interpolation, to 0.92 to 0.984; a learning rate of 1e-9 leaves 1.000 of it.
# With noise as target edsr ended at 1.0 of the best constant; pix2pix learns it by heart (0.83, at
# half width 0.26), and is at 1.04 to 1.14 of the constant on tiles that it has not seen.
FALLEN, BELOW_CONSTANT = 0.99, 0.9
# Nothing that makes a tile another one each time, ends the trial early or averages it away.
SETTINGS = (
    f"steps={STEPS}", "epochs=null", "save_every_epochs=1", "val_freq=null", "keep_every=null",
    "keep_best=1", "monitor=null", "random_resize=1", "random_rotate=false",
    "ema=null", "learning_rate_schedule=null",
)  # fmt: skip
Images = npt.NDArray[np.float32]
Tiles = Mapping[int, tuple[Images, Images]]


@dataclass(frozen=True)
class Found:
    """Mean absolute errors on the tiles, in the unit of the target.

    Attributes:
        tiles: How many tiles.
        before: Of the model as it begins.
        after: Of the model after its steps.
        constant: Of the best constant: each band's median over the tiles.
        baseline: Of what needs no training, by its name; None where the data set has none.
        unseen: Of the model after its steps, on as many tiles of val.
        unseen_constant: Of that constant, there.
        unit: Of the target.
    """

    tiles: int
    before: float
    after: float
    constant: float
    baseline: tuple[str, float] | None
    unseen: float
    unseen_constant: float
    unit: str

    @property
    def fell(self) -> bool:
        """Whether the error fell, and well below what a constant makes that sees no input."""
        return self.after <= FALLEN * self.before and self.after <= BELOW_CONSTANT * self.constant

    @property
    def carries_over(self) -> bool:
        """Whether what was learned holds for tiles that were not trained on."""
        return self.unseen <= BELOW_CONSTANT * self.unseen_constant

    @property
    def learned(self) -> bool:
        """Whether model and data can learn. By heart a large network learns noise, too."""
        return self.fell and self.carries_over

    def __str__(self) -> str:
        told = f"its mean absolute error on {self.tiles} tiles went from {self.before:.4g} to"
        told += f" {self.after:.4g} ({self.unit}) in {STEPS} steps, the best constant has"
        told += f" {self.constant:.4g}"
        if self.baseline is not None:
            told += f" and {self.baseline[0]} {self.baseline[1]:.4g}"
        told += f"; on tiles of val it has {self.unseen:.4g}, that constant"
        told += f" {self.unseen_constant:.4g}"
        if self.learned:
            return f"model and data can learn: {told}"
        if self.fell:
            return (
                f"the model learns these tiles by heart, and nothing for others: {told}. Either"
                " input and target do not show one ground, or the task needs more tiles than these"
            )
        lacking = (
            "stayed near a constant's" if self.after <= FALLEN * self.before else "did not fall"
        )
        return (
            f"nothing was learned, the error {lacking}: {told}. Look at learning_rate and the"
            " weights of the losses, and whether input and target show one ground"
        )


def for_trial(args: argparse.Namespace) -> argparse.Namespace:
    """The command line of a trial on a few tiles."""
    options = [*args.set, *SETTINGS, f"sample_train={args.overfit}"]
    options.append(f"sample_val={args.overfit}")
    return argparse.Namespace(**{**vars(args), "set": options})


def try_to_learn(
    gan_class: Callable[[Any], Any],
    experiment: Any,
    environment: Environment,
    start: Start,
    limit: TimeLimit,
    say: Callable[[str], None],
) -> int:
    """Train on a few tiles and tell what came of it; 0 where it learned, 1 where not.

    One that a signal or the time has cut short tells nothing, and has the exit code of a training.

    Args:
        gan_class: ``class GAN`` of the model's module.
        experiment: With the settings of :func:`for_trial`.
        environment: Whose ``experiment_root`` is thrown away.
        start: Afresh, or with a generator that was trained before.
        limit: When it has to end.
        say: Takes lines.
    """
    from sensor2sensor.training.applied import applied_generator
    from sensor2sensor.training.normaliser import normaliser_for
    from sensor2sensor.training.recipe import construct
    from sensor2sensor.training.run import make_repeatable, train
    from sensor2sensor.training.run_file import choose_device

    weights = start.weights_of(experiment.run)
    experiment = experiment.normalised_by(normaliser_for(gan_class, experiment, weights))
    device = choose_device(environment.require_gpu)
    make_repeatable(experiment.SEED, device, experiment.config.deterministic)
    tiles = _tiles(experiment, environment)
    # Weights of the seed, as the training is about to draw them again.
    generator = applied_generator(experiment, construct(gan_class, experiment).generator)
    before = _error(experiment, generator, tiles)
    outcome = train(gan_class, experiment, environment, start=start, limit=limit, say=say)
    if outcome.exit_code != EXIT_DONE:
        return outcome.exit_code
    generator = applied_generator(experiment, outcome.model.generator)
    truth = _truth(experiment, tiles)
    constant = np.nanmedian(truth, axis=(0, 1, 2))
    unseen = _unseen(experiment, environment)
    found = Found(
        len(tiles),
        before,
        _error(experiment, generator, tiles),
        _distance(truth, constant),
        _untrained(experiment, tiles),
        _error(experiment, generator, unseen),
        _distance(_truth(experiment, unseen), constant),
        experiment.contract.target_unit() if experiment.normaliser.invertible else "normalised",
    )
    say(f"{experiment.name}: {found}")
    return EXIT_DONE if found.learned else EXIT_SOME_FAILED


def _tiles(experiment: Any, environment: Environment) -> Tiles:
    """Input and target of every tile by its number, as the training is given them."""
    from sensor2sensor.training.batches import chain_of, reader_options, train_batches

    options = reader_options(experiment, environment)
    batches = train_batches(experiment, options, extras=(), chain=chain_of(experiment))
    found: dict[int, tuple[Images, Images]] = {}
    # An epoch and the batch that crosses into the next have seen each of them.
    for batch in islice(iter(batches), experiment.config.sample_train // options.batch_size + 2):
        sides = np.asarray(batch["input"]), np.asarray(batch["target"])
        for number, *pair in zip(np.asarray(batch["index"]), *sides, strict=True):
            found.setdefault(int(number), (pair[0], pair[1]))
    return found


def _unseen(experiment: Any, environment: Environment) -> Tiles:
    """Input and target of as many tiles of val."""
    from sensor2sensor.training.batches import reader_options, validation_batches

    options = reader_options(experiment, environment)
    found = validation_batches(experiment, options)
    sides = ((np.asarray(batch["input"]), np.asarray(batch["target"])) for batch in found)
    pairs = [pair for side in sides for pair in zip(*side, strict=True)]
    return dict(enumerate(pairs))


def _truth(experiment: Any, tiles: Tiles) -> Images:
    return np.stack([_physical(experiment, target) for _, target in tiles.values()])


def _error(experiment: Any, generator: Any, tiles: Tiles) -> float:
    made = []
    for image, _ in tiles.values():
        predicted = generator(image[np.newaxis], training=False)
        made.append(_physical(experiment, np.asarray(predicted, np.float32)[0]))
    return _distance(_truth(experiment, tiles), np.stack(made))


def _untrained(experiment: Any, tiles: Tiles) -> tuple[str, float] | None:
    """Name and error of the strongest baseline that needs no training, on the same tiles."""
    from sensor2sensor.dataset.recordfile import list_records, read_record
    from sensor2sensor.dataset.records import decode
    from sensor2sensor.predictors.entries import TrainSplit
    from sensor2sensor.predictors.registry import find
    from sensor2sensor.training.batches import reader_options

    contract, px = experiment.contract, experiment.contract.tile_px
    names = [name for name in ("bicubic", "do_nothing") if find(name).applies(contract) is None]
    if not names or (px, px) != (experiment.IMG_HEIGHT, experiment.IMG_WIDTH):
        return None
    filters = reader_options(experiment, experiment.environment).filters
    records = list_records(experiment.dataset_dir, "train", *filters)
    own = [decode(read_record(records[number]), contract) for number in tiles]
    fitted_on = TrainSplit(experiment.dataset_dir, contract)  # these two fit nothing
    predictor = find(names[0]).make(contract, fitted_on)
    truth = np.stack([np.asarray(tile.target, np.float32) for tile in own])
    return names[0], _distance(truth, predictor(own))


def _physical(experiment: Any, values: Images) -> Images:
    kind = experiment.normaliser
    return np.asarray(kind.restore(values) if kind.invertible else values, np.float32)


def _distance(truth: Images, made: Images) -> float:
    return float(np.nanmean(np.abs(truth.astype(np.float64) - made)))
