"""Runs as people name them: ``a/b/c/0715-0930``, ``a/b/c 0715-0930``, ``a/b/c``, ``0715-0930``."""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.runs import TIMESTAMP
from sensor2sensor.report.runs.found import Seen

FEW = 4  # runs that a message names


def take(
    words: Sequence[str], found: Sequence[Seen], beside: Seen | None = None
) -> tuple[Seen, list[str]]:
    """The run that the first words name, and the words behind it.

    Args:
        words: Of the command line.
        found: All runs.
        beside: A timestamp alone may be of its experiment.

    Raises:
        InputError: There is no such run, or a timestamp alone is that of several.
    """
    if not words:
        raise InputError("names no run", hint="a/b/c/MMDD-hhmm, or a/b/c for its latest run")
    first, rest = words[0].strip("/"), list(words[1:])
    typed, _, last = first.rpartition("/")
    if TIMESTAMP.fullmatch(last) and not _only_experiment(first, found):
        if not typed:
            return _by_timestamp(first, found, beside), rest
        return _run(typed, last, found), rest
    if rest and TIMESTAMP.fullmatch(rest[0]) and not _only_experiment(rest[0], found):
        return _run(first, rest[0], found), rest[1:]
    return _of(first, found)[-1], rest


def _only_experiment(name: str, found: Sequence[Seen]) -> bool:
    """Whether an experiment is called like a run, as ``sea/2019-2020`` of some years, and none is."""
    a_run = any(seen.name == name or seen.run.timestamp == name for seen in found)
    return not a_run and any(seen.experiment == name for seen in found)


def _by_timestamp(stamp: str, found: Sequence[Seen], beside: Seen | None) -> Seen:
    own = [seen for seen in found if seen.run.timestamp == stamp]
    near = [seen for seen in own if beside is not None and seen.experiment == beside.experiment]
    if len(near or own) == 1:
        return (near or own)[0]
    if not own:
        known = {seen.run.timestamp for seen in found}
        hint = suggestion(stamp, known) if known else "there is no run at all"
        raise InputError(f"no run '{stamp}'", hint=hint)
    more = f" and {len(own) - FEW} more" if len(own) > FEW else ""
    hint = f"name one: {', '.join(seen.name for seen in own[:FEW])}{more}"
    raise InputError(f"{len(own)} experiments have a run '{stamp}'", hint=hint)


def _run(experiment: str, stamp: str, found: Sequence[Seen]) -> Seen:
    own = _of(experiment, found)
    for seen in own:
        if seen.run.timestamp == stamp:
            return seen
    hint = f"runs there: {', '.join(seen.run.timestamp for seen in own)}"
    raise InputError(f"no run '{stamp}'", where=experiment, hint=hint)


def _of(experiment: str, found: Sequence[Seen]) -> list[Seen]:
    own = [seen for seen in found if seen.experiment == experiment]
    if not own:
        known = {seen.experiment for seen in found}
        hint = suggestion(experiment, known) if known else "there is no run at all"
        raise InputError(f"no run of an experiment '{experiment}'", hint=hint)
    return own
