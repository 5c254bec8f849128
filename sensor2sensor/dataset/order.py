"""The order of training samples: a pure function of (seed, epoch, position).

Every epoch shows every sample once. Batches cross epochs, so all are full and a run can start at
any step without replaying what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import Purpose, derive, rng


@lru_cache(maxsize=4)
def epoch_order(seed: int, epoch: int, n: int) -> npt.NDArray[np.int64]:
    """The order of ``n`` samples in one epoch: an int64 permutation (read-only)."""
    if n < 1:
        raise DatasetError("there is no sample to order")
    order = rng(seed, Purpose.ORDER, epoch).permutation(n).astype(np.int64)
    # The cache hands out one array: who wrote into it would change the order of others.
    order.flags.writeable = False
    return order


def sample_at(seed: int, k: int, n: int, *, shuffle: bool = True) -> tuple[int, int, int]:
    """What the ``k``-th sample of a run is.

    Args:
        seed: The experiment's seed.
        k: Samples drawn before it: ``step * batch_size + place in the batch``.
        n: Samples in the split.
        shuffle: False gives the same order in every epoch: by name.

    Returns:
        Epoch, position in the epoch, and index into the list of records ordered by name.
    """
    # The number of samples drawn so far is all that a resumed run has to know.
    epoch, i = divmod(k, n)
    return epoch, i, int(epoch_order(seed, epoch, n)[i]) if shuffle else i


def augmentation_seed(seed: int, epoch: int, i: int) -> tuple[int, int]:
    """The two 31-bit integers that seed the augmentation of sample ``i`` of an epoch."""
    key = derive(seed, Purpose.AUGMENT, epoch, i)
    # Positive even where a seed is read as a signed 32-bit integer.
    return key & 0x7FFFFFFF, (key >> 31) & 0x7FFFFFFF


def chosen_sample(seed: int, n: int, size: int | None) -> npt.NDArray[np.int64]:
    """Indices of a fixed random choice of ``size`` of ``n`` records, in order; None takes all."""
    if size is None or size >= n:
        return np.arange(n, dtype=np.int64)
    # The head of one permutation: a larger sample holds the smaller one.
    picked = rng(seed, Purpose.SAMPLE).permutation(n)[:size]
    return np.sort(picked).astype(np.int64)


def looked_at(n: int, size: int | None) -> npt.NDArray[np.int64]:
    """Indices of the records that validations look at: the same for every seed of a model.

    Else the curves of its seeds would differ by their tiles, and look as if they differed by seed.
    """
    return chosen_sample(0, n, size)


@dataclass(frozen=True)
class Epochs:
    """How steps make epochs. Batches cross epochs: one ends with the batch that completes it.

    Attributes:
        samples: Samples in an epoch.
        batch_size: Samples in a step.
    """

    samples: int
    batch_size: int

    def steps(self, epochs: int) -> int:
        """Steps until so many epochs are complete, ⌈epochs · samples / batch size⌉."""
        return -(-epochs * self.samples // self.batch_size)

    def complete(self, step: int) -> int:
        """Epochs that are complete after ``step`` steps."""
        return step * self.batch_size // self.samples

    def ended(self, step: int, every: int = 1) -> bool:
        """Whether the ``step``-th step, counted from 1, completes a multiple of ``every`` epochs.

        A batch larger than an epoch completes several at once.
        """
        return step > 0 and self.complete(step) // every > self.complete(step - 1) // every

    def began(self, step: int) -> int:
        """Steps done when the epoch that the ``step``-th step belongs to began."""
        return self.steps(self.complete(step - 1)) if step > 0 else 0
