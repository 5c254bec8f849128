"""The trainings that one call of ``train.py`` asks for: by a pattern, by ``seeds``, by a sweep."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.layers import name_of
from sensor2sensor.config.places import find_experiment
from sensor2sensor.config.seeds import SEED
from sensor2sensor.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment

WILD = re.compile(r"[*?[]")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Job:
    """One training of several.

    Attributes:
        exp: Its experiment below ``experiment_root``.
        point: What a sweep sets, as ``key.path=value``.
        seed: Of ``seeds`` the one it draws with; None where the experiment has its own.
        fault: Why it cannot be trained; None: nothing was found yet.
    """

    exp: str
    point: tuple[str, ...] = ()
    seed: int | None = None
    fault: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What it is given by ``--set`` beside what all are."""
        return self.point if self.seed is None else (*self.point, f"{SEED}={self.seed}")

    @property
    def label(self) -> str:
        """What a line calls it."""
        return " ".join((self.exp, *self.options))


@dataclass(frozen=True)
class Jobs:
    """What one call asks for, in order.

    Attributes:
        jobs: The trainings.
        several: Whether the call is one for many, though these may be few.
        swept: The keys of the sweep.
        wild: Whether they are named by a pattern.
    """

    jobs: tuple[Job, ...]
    several: bool
    swept: tuple[str, ...] = ()
    wild: bool = False


def jobs_of(
    exp: str, environment: Environment, options: Sequence[str] = (), sweeps: Sequence[str] = ()
) -> Jobs:
    """The trainings that are asked for.

    Experiments come in their natural order, of each the values of the sweep as they were typed, of
    each of these the seeds.

    Args:
        exp: An experiment, or a pattern of several below ``experiment_root``: ``aris-*/land/*``.
        environment: Says where that is.
        options: What ``--set`` says of all.
        sweeps: What ``--sweep`` says: ``key.path=value,value``.

    Raises:
        InputError: There is no such experiment, or a sweep has no values, or its key is said twice.
        ConfigErrors: A value of the sweep cannot be used.
    """
    _refuse_twice(options, sweeps)
    points = _points(sweeps)
    wild = bool(WILD.search(exp)) and not _is_experiment(exp, environment)
    names = _matching(exp, environment) if wild else [_name(exp, environment)]
    found: list[Job] = []
    for name in names:
        for point in points:
            try:
                found += _of_point(name, point, environment, options)
            except ConfigError as error:
                if sweeps:
                    raise
                # One alone is trained as ever, which says so, and knows what a run of it keeps.
                found.append(Job(name, fault=str(error)))
    swept = tuple(name_of(text) for text in sweeps)
    seeded = any(job.seed is not None for job in found)
    return Jobs(tuple(found), bool(wild or sweeps or seeded), swept, wild)


def _refuse_twice(options: Sequence[str], sweeps: Sequence[str]) -> None:
    """Refuse a key that two sweeps set: the later one alone would count, under both names."""
    keys = [name_of(text) for text in sweeps]
    for first, second in combinations(keys, 2):
        if first == second or first.startswith(f"{second}.") or second.startswith(f"{first}."):
            said = (
                f"--sweep sets '{second}' twice"
                if first == second
                else (f"--sweep sets both '{first}' and '{second}', one of which holds the other")
            )
            raise InputError(said, hint="name all values of a key in one --sweep")
    for key in {name_of(text) for text in options}.intersection(keys):
        raise InputError(f"--set and --sweep both set '{key}'", hint="leave one of them out")


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts ``run-2`` before ``run-10``."""
    parts = _DIGITS.split(name)
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]


def _is_experiment(exp: str, environment: Environment) -> bool:
    # A folder may be called run[1].
    return (environment.require("experiment_root") / exp / "experiment.json").is_file()


def _name(exp: str, environment: Environment) -> str:
    folder = find_experiment(exp, environment)
    return folder.relative_to(environment.experiment_root).as_posix()


def _matching(pattern: str, environment: Environment) -> list[str]:
    """Names of the experiments of a pattern, in natural order.

    Raises:
        InputError: None matches.
    """
    root = environment.require("experiment_root")
    typed = pattern.removesuffix("/experiment.json").strip("/")
    # A shell's own habit: the path from here, which find_experiment takes, too.
    typed = typed.removeprefix(f"{root.name}/") if not (root / root.name).is_dir() else typed
    try:
        folders = [path.parent for path in root.glob(f"{typed}/experiment.json")]
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"'{pattern}' is no pattern of experiments: {error}") from error
    names = {folder.relative_to(root).as_posix() for folder in folders}
    # Every run keeps a copy of its experiment.json there.
    found = sorted((n for n in names if "logs" not in Path(n).parts), key=natural)
    if not found:
        hint = "a * stands for one folder, ** for any; quote it, or the shell reads it"
        raise InputError(f"no experiment matches '{pattern}'", where=root, hint=hint)
    return found


def _points(sweeps: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the values, the last key's fastest; one empty one without a sweep."""
    return list(product(*map(_values, sweeps)))


def _values(sweep: str) -> list[str]:
    """``key=1,2`` → ``key=1``, ``key=2``; a comma within brackets or quotes parts nothing.

    Raises:
        InputError: It is no such thing, or names a value twice.
    """
    key, equals, said = sweep.partition("=")
    values = [value.strip() for value in _split(said)]
    if not (equals and key.strip()) or "" in values:
        hint = "as in --sweep gen_loss.gen_l1=10,25,50"
        raise InputError(f"--sweep '{sweep}' is not key.path=value,value", hint=hint)
    if len({_plain(value) for value in values}) < len(values):
        raise InputError(f"--sweep '{sweep}' names a value twice", hint="name each once")
    return [f"{key.strip()}={value}" for value in values]


def _plain(value: str) -> str:
    """One spelling of a value: 10 and 10.0 are one."""
    try:
        number = json.loads(value)
    except json.JSONDecodeError:
        return value
    return repr(float(number)) if type(number) in (int, float) else json.dumps(number)


def _split(text: str) -> list[str]:
    """Parts between the commas that stand in no bracket and no quotes."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            depth += (letter in "[{") - (letter in "]}")
            if letter == "," and depth == 0:
                parts.append(text[start:place])
                start = place + 1
    return [*parts, text[start:]]


def _of_point(
    name: str, point: tuple[str, ...], environment: Environment, options: Sequence[str]
) -> list[Job]:
    """The jobs of one experiment with one combination of values: one, or one a seed."""
    source = environment.experiment_root / name / "experiment.json"
    config, _ = load_experiment_file(source, (*options, *point), users_model=lambda _: True)
    if config.seeds is None:
        return [Job(name, point)]
    return [Job(name, point, seed) for seed in config.seeds]
