"""Errors that a user can act on: what is wrong, where, and what to do next, in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextvars import ContextVar

from sensor2sensor.core.streams import one_line

# Whether a door runs with --debug, which shows programmers their mistakes.
debugging: ContextVar[bool] = ContextVar("debugging", default=False)
_SURROUNDINGS = frozenset({
    errno.EACCES, errno.EPERM, errno.EAGAIN, errno.ENOLCK, errno.EDEADLK, errno.EMFILE,
    errno.ENFILE, errno.ENOMEM, errno.ENAMETOOLONG, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN,
    errno.EHOSTDOWN, errno.EHOSTUNREACH,
})  # fmt: skip


class Sensor2SensorError(Exception):
    """Base of every error this package raises on purpose.

    Args:
        what: What is wrong, without a final full stop.
        where: The file, key or item it is wrong in.
        hint: What to do next.
    """

    exit_code = 2
    # TensorFlow would otherwise replace an error raised while it traces a function by one of its
    # own, of many lines and another type.
    ag_pass_through = True

    def __init__(self, what: str, *, where: object | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(self._line())

    def _line(self) -> str:
        place = f"{one_line(str(self.where))}: " if self.where is not None else ""
        advice = f"; {self.hint}" if self.hint else ""
        return " ".join(f"{place}{self.what}{advice}".split())

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders; the default would call __init__ with the joined line only.
        return (_rebuild, (type(self), self.what, self.where, self.hint))


def _rebuild(
    kind: type[Sensor2SensorError], what: str, where: object | None, hint: str | None
) -> Sensor2SensorError:
    return kind(what, where=where, hint=hint)


class ConfigError(Sensor2SensorError):
    """A configuration file or option says something that cannot be."""


class ConfigErrors(ConfigError):  # noqa: N818 - several errors, hence the plural
    """Every problem of one configuration at once, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problems))

    def __str__(self) -> str:
        return "\n".join(self.problems)

    def __reduce__(self) -> tuple[object, ...]:
        return (ConfigErrors, (self.problems,))


class InputError(Sensor2SensorError):
    """A command line, or a file it names, cannot be used."""


class MissingExtraError(Sensor2SensorError, ImportError):
    """What was asked for needs libraries that a light installation does not have."""


class ProductError(Sensor2SensorError):
    """A satellite product is damaged, incomplete or hostile; the run goes on without it."""


class SeveralProductsError(ProductError):
    """An archive holds several products, and which one is meant nobody can tell."""


class WithheldError(ProductError):
    """A file cannot be reached, through no fault of its own: fetching it again mends nothing."""


def withheld(error: BaseException, where: object) -> WithheldError | None:
    """What to raise for a missing right, a hanging share or a refused lock; None for others."""
    if not (isinstance(error, OSError) and error.errno in _SURROUNDINGS):
        return None
    what = f"cannot be read ({os.strerror(error.errno or 0)})"
    hint = "the file may be sound; mend its surroundings and run again"
    return WithheldError(what, where=where, hint=hint)


class DatasetError(Sensor2SensorError):
    """A data set does not hold what its dataset.json promises."""


class CheckpointError(Sensor2SensorError):
    """A checkpoint is missing, damaged or of another model."""


class ModelContractError(Sensor2SensorError):
    """A model module does not offer what the framework calls."""


class OutputExistsError(Sensor2SensorError):
    """The output folder holds results of other options; nothing was touched."""


class TrainingError(Sensor2SensorError):
    """Training had to stop: a non-finite loss, a full disk."""

    exit_code = 1
