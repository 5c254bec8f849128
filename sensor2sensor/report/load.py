"""Read all of ``_evaluation``: what can be compared, and what was skipped and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sensor2sensor.config.evaluations import (
    FORMAT_VERSION,
    KEY_COLUMNS,
    PUBLISHED,
    TILES_SUFFIX,
    mode_in_words,
    part_in_words,
)
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.strata import AT, PIXELS, split_column
from sensor2sensor.predictors.registry import REGISTRY
from sensor2sensor.report.file import READABLE, Definition, EvaluationFile
from sensor2sensor.report.kinds import kind
from sensor2sensor.report.meanings import parted
from sensor2sensor.report.older import upgraded
from sensor2sensor.report.tiles import Facts, tile_facts

if TYPE_CHECKING:
    import pandas as pd

SHORT = 8  # digits of a hash that a title shows, where they tell its data sets apart


@dataclass(frozen=True)
class Result:
    """One evaluation of one run.

    Attributes:
        path: Its JSON file.
        facts: The content of the JSON.
        table: A row per tile and method: ``name, scene, split, method`` and a column per metric,
            whole and within each stratum.
    """

    path: Path
    facts: EvaluationFile
    table: pd.DataFrame

    @property
    def methods(self) -> list[str]:
        """Model first, then baselines."""
        return self.facts.methods

    @cached_property
    def tile_facts(self) -> Facts:
        """What is known of its tiles beside their scores, read when it is asked for."""
        return tile_facts(self.path.parent, self.facts)

    @property
    def itself(self) -> str | None:
        """The baseline that its model is; None of a model that was trained, here or elsewhere."""
        name = self.facts.model_name
        return name if self.facts.model_is_baseline and name != PUBLISHED else None

    def given(self, method: str, stratum: str | None) -> bool:
        """Whether a method's scores hold by definition: the input, held against the input."""
        return stratum is not None and method in self.facts.strata[stratum].by_definition

    def pooled(self, method: str) -> Mapping[str, float | None]:
        """Scores of a method over all pixels at once, by column; empty where there are none."""
        return {} if self.facts.pooled is None else self.facts.pooled.scores[method]

    def within(self, stratum: str) -> Result:
        """The same evaluation on the ground of one stratum: its metrics, and tiles that show it."""
        part = self.facts.strata[stratum]
        inner = {column: self.facts.metrics[split_column(column)[0]] for column in part.columns}
        facts = self.facts.model_copy(
            update={
                "metrics": inner,
                "strata": {stratum: part},
                "sam_left_out": part.sam_left_out,
            }
        )
        # Elsewhere its columns are NaN, which would pass for tiles that every method failed on.
        shown = self.table[self.table[f"{PIXELS}{AT}{stratum}"] > 0]
        return replace(self, facts=facts, table=shown)


@dataclass(frozen=True)
class Skipped:
    """A file that takes no part in the report.

    Attributes:
        path: The file.
        reason: Why, and what to do.
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Group:
    """Results that may stand in one table: same data set, split, filters and profile.

    Results may differ in metrics: a module of the user's adds some. None means two things here.

    Attributes:
        title: Names all of that; no other group of a report has it.
        results: At least one.
        stratum: The part of the tiles that all scores are of; None for whole tiles.
    """

    title: str
    results: tuple[Result, ...]
    stratum: str | None = None

    @property
    def facts(self) -> EvaluationFile:
        """Facts that all results share (data set, profile, split)."""
        return self.results[0].facts

    @property
    def shared(self) -> frozenset[str]:
        """Metrics that every result has."""
        return frozenset.intersection(*(frozenset(r.facts.metrics) for r in self.results))

    @property
    def metrics(self) -> dict[str, Definition]:
        """Metrics that any result has, in table order; those that not all have come last."""
        known: dict[str, Definition] = {}
        for result in self.results:
            known |= {n: d for n, d in result.facts.metrics.items() if n not in known}
        shared = self.shared
        return dict(sorted(known.items(), key=lambda item: item[0] not in shared))

    @property
    def windows(self) -> dict[str, int]:
        """Windows that lie wholly inside the stratum, by column of the metric."""
        if self.stratum is None:
            return {}
        name = self.stratum
        found = [r.facts.strata[name].windows.items() for r in self.results]
        return {f"{metric}{AT}{name}": count for counts in found for metric, count in counts}

    @property
    def reference(self) -> str | None:
        """The strongest baseline that any result is compared with; None without any.

        A result that is itself the strongest one is compared with the next.
        """
        known = {r.facts.reference for r in self.results if r.facts.reference is not None}
        # Registered from the weakest to the strongest.
        ranks = {name: rank for rank, name in enumerate(REGISTRY)}
        # Sorted, since a set's order differs between runs: the first of equals is taken.
        return max(sorted(known), key=lambda name: ranks.get(name, -1), default=None)

    @property
    def strata(self) -> tuple[Group, ...]:
        """The results within each stratum that has any ground, for tables of their own."""
        found = []
        known = {name: s for r in self.results for name, s in r.facts.strata.items()}
        for name, stratum in known.items():
            ground = f"{stratum.pixels} pixels in {stratum.tiles} of {self.facts.tiles} tiles"
            inside = tuple(r.within(name) for r in self.results if name in r.facts.strata)
            if stratum.pixels:
                place = part_in_words(name, stratum.stratum, stratum.against)
                found.append(Group(f"{place}: {ground}", inside, name))
        return tuple(found)

    def label(self, result: Result) -> str:
        """The experiment's name; with timestamp, then step where there are several.

        A baseline's says so, ``bic = bicubic``: other runs are compared with it by that name. One
        that was scored in training mode says that, and where all of that is equal, its file.
        """
        told = self._told(result)
        alike = [o for o in self.results if _weights(o) == _weights(result)]
        twice = len(alike) > 1 and [self._told(other) for other in alike].count(told) > 1
        return f"{told} [{result.path.stem}]" if twice else told

    def _told(self, result: Result) -> str:
        name = result.facts.experiment
        stamp, step = result.facts.timestamp, result.facts.step
        again = [o.facts for o in self.results if o.facts.experiment == name]
        steps = {facts.step for facts in again if facts.timestamp == stamp}
        told = f"{stamp}, step {step}" if len(steps) > 1 else stamp
        run = f"{name} ({told})" if len(again) > 1 else name
        if (mode := result.facts.inference) is not None:
            run = f"{run}, {mode_in_words(mode)}"
        return run if result.itself is None else f"{run} = {result.itself}"


def _weights(result: Result) -> tuple[str, str, int]:
    """Which weights were scored."""
    return result.facts.experiment, result.facts.timestamp, result.facts.step


@dataclass(frozen=True)
class Results:
    """Everything found in an evaluation folder.

    Attributes:
        folder: The folder.
        results: What can be compared, by name.
        skipped: What cannot, and why.
    """

    folder: Path
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """Results that may be compared with each other; different profiles never share a group."""
        found: dict[tuple[int, str, str], list[Result]] = {}
        for result in self.results:
            found.setdefault(kind(result.facts), []).append(result)
        short = {(title, digest[:SHORT]) for _, title, digest in found}
        # Hashes that begin alike would make two groups of one title.
        digits = SHORT if len(short) == len(found) else None
        return tuple(
            Group(", ".join([title, f"data set {digest[:digits]}", *words]), tuple(part))
            for (_, title, digest), results in sorted(found.items(), key=lambda item: item[0])
            for part, words in parted(results)
        )


def load(folder: Path) -> Results:
    """Read every evaluation in a folder; damaged ones are skipped with a reason, never fatal.

    Args:
        folder: ``_evaluation``; an absent folder holds no results.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    results, skipped = read_all(paths)
    return Results(folder, results, (*skipped, *_orphans(folder)))


def read_all(paths: Iterable[Path]) -> tuple[tuple[Result, ...], tuple[Skipped, ...]]:
    """The evaluations that can be read, and the others with the reason."""
    results: list[Result] = []
    skipped: list[Skipped] = []
    for path in paths:
        try:
            results.append(_read(path))
        except InputError as error:
            skipped.append(Skipped(path, _reason(error)))
        except OSError as error:
            skipped.append(Skipped(path, f"cannot be read ({error.strerror})"))
    return tuple(results), tuple(skipped)


def _reason(error: InputError) -> str:
    return f"{error.what}; {error.hint}" if error.hint else str(error.what)


def _orphans(folder: Path) -> Iterator[Skipped]:
    """Tables without the JSON that says what their numbers mean."""
    for path in sorted(folder.glob("*.csv")) if folder.is_dir() else []:
        # Facts per tile belong to a table of scores, which says what happened.
        if path.name.endswith(TILES_SUFFIX) and _scores_of(path).is_file():
            continue
        if not path.with_suffix(".json").is_file():
            yield Skipped(path, "no .json beside it (interrupted?); run evaluate.py again")


def _scores_of(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(TILES_SUFFIX)}.csv")


def _read(path: Path) -> Result:
    """One evaluation.

    Raises:
        InputError: With the reason to skip it.
    """
    content = files.read_json(path)
    _check_version(content, path)
    try:
        # JSON text, so that strict validation still takes arrays for lists.
        facts = EvaluationFile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"not an evaluation of this version ({place}: {first['msg']})"
        raise InputError(problem, where=path, hint="run evaluate.py again") from None
    if not facts.tiles:
        raise InputError("scored no tile", where=path, hint="see the filters of its experiment")
    return Result(path, *upgraded(facts, _table(path.parent / facts.csv.file, facts)))


def _check_version(content: Any, path: Path) -> None:
    """Refuse other versions by name before looking at their content."""
    # First: of a later version "unknown key" would be true and would not say what to do.
    wanted = {"format_version": (FORMAT_VERSION,), "metrics_version": READABLE}
    if not isinstance(content, dict) or not set(wanted) <= set(content):
        raise InputError("not written by evaluate.py", where=path, hint="move it elsewhere")
    for key, versions in wanted.items():
        if content[key] not in versions:
            known = " and ".join(map(str, versions))
            problem = f"{key} {content[key]}, this program reads {known}"
            raise InputError(problem, where=path, hint="run evaluate.py again")


def _table(path: Path, facts: EvaluationFile) -> pd.DataFrame:
    """The rows per tile; InputError where they are not what the JSON vouches for."""
    import pandas as pd

    again = "run evaluate.py again"
    # A name with a folder in it would read a file from outside.
    if path.name != facts.csv.file or not path.is_file():
        raise InputError(f"its table {facts.csv.file} is missing", where=path, hint=again)
    # A table that was cut, or sorted in a spreadsheet, still reads as a table.
    if files.sha256(path) != facts.csv.sha256:
        with path.open(encoding="utf-8", errors="replace") as stream:
            lines = max(sum(1 for _ in stream) - 1, 0)
        problem = f"its table is not the one written with it ({lines} of {facts.csv.rows} rows)"
        raise InputError(problem, where=path, hint=again)
    # A tile may be called NA: only the numbers below become NaN.
    table = pd.read_csv(path, dtype=dict.fromkeys(KEY_COLUMNS, str), keep_default_na=False)
    if list(table.columns) != [*KEY_COLUMNS, *facts.columns]:
        raise InputError("its table has other columns", where=path, hint=again)
    values = table[facts.columns].apply(pd.to_numeric, errors="coerce")
    read: pd.DataFrame = pd.concat([table[list(KEY_COLUMNS)], values], axis=1)
    return read
