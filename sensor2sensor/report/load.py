"""Read all of ``_evaluation``: what can be compared, and what was skipped and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sensor2sensor.config.evaluations import FORMAT_VERSION, KEY_COLUMNS
from sensor2sensor.config.vocabulary import METRICS_VERSION
from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.dataset.strata import AT, PIXELS, split_column
from sensor2sensor.predictors.registry import REGISTRY
from sensor2sensor.report.file import READABLE, EvaluationFile
from sensor2sensor.report.older import upgraded

if TYPE_CHECKING:
    import pandas as pd


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

    @property
    def itself(self) -> str | None:
        """The baseline that its model is; None of a trained model."""
        return self.facts.model_name if self.facts.model_is_baseline else None

    def within(self, stratum: str) -> Result:
        """The same evaluation on the ground of one stratum: its metrics, and tiles that show it."""
        columns = self.facts.strata[stratum].columns
        inner = {column: self.facts.metrics[split_column(column)[0]] for column in columns}
        facts = self.facts.model_copy(update={"metrics": inner})
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

    Attributes:
        title: Names all of that.
        results: At least one.
    """

    title: str
    results: tuple[Result, ...]

    @property
    def facts(self) -> EvaluationFile:
        """Facts that all results share (data set, metrics, profile, split)."""
        return self.results[0].facts

    @property
    def reference(self) -> str | None:
        """The strongest baseline that any result is compared with; None without any.

        A result that is itself the strongest one is compared with the next.
        """
        known = {r.facts.reference for r in self.results if r.facts.reference is not None}
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
                found.append(Group(f"within '{name}': {ground}", inside))
        return tuple(found)

    def label(self, result: Result) -> str:
        """The experiment's name; with the timestamp where it was run more than once."""
        name = result.facts.experiment
        again = sum(other.facts.experiment == name for other in self.results) > 1
        return f"{name} ({result.facts.timestamp})" if again else name


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
        found: dict[str, list[Result]] = {}
        titles: dict[str, str] = {}
        for result in self.results:
            key, title = _group(result.facts)
            found.setdefault(key, []).append(result)
            titles[key] = title
        return tuple(Group(titles[key], tuple(found[key])) for key in sorted(found))


def _group(facts: EvaluationFile) -> tuple[str, str]:
    """Sorting key, and title, of the results that ``facts`` may be compared with."""
    data = facts.dataset
    names = {"enforce_suffix": "only", "exclude_suffix": "without"}
    filters = [f"{names[key]} *{value}" for key, value in facts.filters.items() if value]
    parts = [f"{data.name} at {data.tile_px} px", f"split '{facts.split}'", *filters]
    parts.append(f"profile '{facts.profile}'")
    if facts.metrics_version != METRICS_VERSION:
        parts.append(f"metrics of version {facts.metrics_version}")
    title = ", ".join(parts)
    rank = 0 if facts.profile == "standard" else 1  # the conventions to trust come first
    # By content too: a data set that is built anew keeps its name and not its splits.
    key = f"{rank} {title} {data.sha256} {' '.join(facts.metrics)}"
    return key, f"{title}, data set {data.sha256.split(':')[-1][:8]}"


def load(folder: Path) -> Results:
    """Read every evaluation in a folder; damaged ones are skipped with a reason, never fatal.

    Args:
        folder: ``_evaluation``; an absent folder holds no results.
    """
    folder = Path(folder)
    results: list[Result] = []
    skipped: list[Skipped] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            results.append(_read(path))
        except InputError as error:
            skipped.append(Skipped(path, _reason(error)))
    skipped += _orphans(folder)
    return Results(folder, tuple(results), tuple(skipped))


def _reason(error: InputError) -> str:
    return f"{error.what}; {error.hint}" if error.hint else str(error.what)


def _orphans(folder: Path) -> Iterator[Skipped]:
    """Tables without the JSON that says what their numbers mean."""
    for path in sorted(folder.glob("*.csv")) if folder.is_dir() else []:
        if not path.with_suffix(".json").is_file():
            yield Skipped(path, "no .json beside it (interrupted?); run evaluate.py again")


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
    return Result(path, *upgraded(facts, _table(path.parent / facts.csv.file, facts)))


def _check_version(content: Any, path: Path) -> None:
    """Refuse other versions by name before looking at their content."""
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
    if path.name != facts.csv.file or not path.is_file():
        raise InputError(f"its table {facts.csv.file} is missing", where=path, hint=again)
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
