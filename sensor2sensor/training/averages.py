"""The averaged weights of the generator (EMA), which Keras' optimizers keep beside the last ones.

After the first update an average is the weight itself; then ``a <- ema a + (1 - ema) w`` at every
update of the generator. Only what the optimizer trains is averaged; the statistics of batch
normalisation are measured under the averages (:mod:`sensor2sensor.training.layer_statistics`).
Evaluation, prediction and the looks at the validation tiles take the averages; training goes on
with the last weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.training.contract import GANModel

LAST = "last"


def averages(model: GANModel) -> list[tuple[Any, Any]]:
    """Each variable of the generator that has an average, with it.

    Returns:
        Empty where the generator's optimizer keeps none, and before its first update.

    Raises:
        ModelContractError: Two averages have one name, so that none can be told.
    """
    optimizer = model.generator_optimizer
    # Keras makes them of zeros and fills them at the first update.
    if not optimizer.use_ema or int(optimizer.iterations.numpy()) == 0:
        return []
    # Keras lists them nowhere in public: the names that it makes of the variables' paths tell.
    kept = [variable for variable in optimizer.variables if variable.name.endswith("_average")]
    named = {variable.name: variable for variable in kept}
    if len(named) < len(kept):
        raise ModelContractError(
            "two variables of the generator have one name, so their averages cannot be told apart",
            where=type(model).__module__,
            hint="give the generator's layers names of their own",
        )
    found = ((v, f"{v.path.replace('/', '_')}_average") for v in model.generator.variables)
    return [(variable, named[name]) for variable, name in found if name in named]


@contextmanager
def averaged(model: GANModel) -> Iterator[None]:
    """The generator with its averaged weights; afterwards it has the last ones again, bit for bit.

    Nothing happens where its optimizer keeps no averages.
    """
    pairs = averages(model)
    # Copies: NumPy's view of a variable would follow it to the averages.
    last = [np.array(variable) for variable, _ in pairs]
    try:
        take(pairs)
        yield
    finally:
        for (variable, _), value in zip(pairs, last, strict=True):
            variable.assign(value)


def take(pairs: list[tuple[Any, Any]]) -> None:
    """Overwrite each variable with its average."""
    for variable, average in pairs:
        variable.assign(average)


def weights_in_use(model: GANModel) -> str:
    """Which weights are scored and applied: ``last``, or ``ema <decay>``."""
    optimizer = model.generator_optimizer
    return f"ema {optimizer.ema_momentum:g}" if optimizer.use_ema else LAST
