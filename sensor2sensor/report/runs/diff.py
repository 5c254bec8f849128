"""Two runs held against each other: settings, data, code, versions, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.manifest import flat
from sensor2sensor.dataset.ancestry import BEGAN_FROM, FORKED, PRETRAINED
from sensor2sensor.report.runs.found import UNREADABLE, Seen, evaluations_of, tables_of

if TYPE_CHECKING:
    from sensor2sensor.report.entrants import Entrant
    from sensor2sensor.report.load import Group, Result

Pair = tuple[Seen, Seen]

ABSENT = "–"
SHORT = 10  # digits of a hash
# Of run.json, by the heading of their table. Where and when a file lay says nothing of a run.
PARTS = {
    "data": ("dataset", "data", "exclude_tiles", "normalisation"),
    "code": ("git", "model", "modules", "vgg"),
    "beginning": ("restored_from", BEGAN_FROM, FORKED, PRETRAINED, "registration"),
    "machine": ("device", "versions"),
}
SETTINGS = "settings"
IDLE = frozenset({"schema_", "$schema"})


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes:
        key: Its name, with dots.
        first: What it is in the first run, as text.
        second: What it is in the second.
    """

    key: str
    first: str
    second: str


@dataclass(frozen=True)
class Scored:
    """A metric of both runs on the same tiles.

    Attributes:
        title: Data set, split and profile.
        metric: Its label, with the better direction.
        first: Mean of the first run.
        second: Mean of the second.
        gain: Mean paired difference with its interval, in words; positive: the second is better.
    """

    title: str
    metric: str
    first: str
    second: str
    gain: str


def differing(first: Seen, second: Seen) -> dict[str, list[Difference]]:
    """What differs, by part; parts that agree are empty.

    Raises:
        InputError: What a run says of itself cannot be read.
    """
    one, two = (files.read_json(seen.run.run_json) for seen in (first, second))
    settings = [_settings(seen) for seen in (first, second)]
    found = {SETTINGS: _differences(*settings)}
    for title, keys in PARTS.items():
        sides = [{key: content.get(key) for key in keys} for content in (one, two)]
        found[title] = _differences(*sides)
    return found


def _settings(seen: Seen) -> Mapping[str, Any]:
    content = files.read_json(seen.run.resolved)
    return {key: value for key, value in content.items() if key not in IDLE}


def _differences(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[Difference]:
    first, second = flat(one), flat(two)
    keys = [*first, *(key for key in second if key not in first)]
    found = [(key, first.get(key), second.get(key)) for key in keys]
    # What is not there and what is null say the same.
    return [Difference(key, shown(a), shown(b)) for key, a, b in found if a != b]


def shown(value: object) -> str:
    """A value in a cell: hashes by their beginning, null as a dash."""
    if value is None:
        return ABSENT
    text = str(value)
    is_hash = len(text) in (40, 64) and not set(text) - set("0123456789abcdef")
    return f"{text[:SHORT]}…" if is_hash else text


def scored(pair: Pair, evaluations: Path) -> list[Scored]:
    """Every metric of evaluations that may be compared, with the interval that the report has.

    Args:
        pair: A run, and another one whose gains are told.
        evaluations: ``_evaluation``.
    """
    from sensor2sensor.report.load import read_all

    tables = tables_of(evaluations)
    one, two = (read_all(evaluations_of(seen.experiment, seen.run, tables))[0] for seen in pair)
    return compared(pair, (*one, *two))


def compared(pair: Pair, results: Sequence[Result]) -> list[Scored]:
    """Every metric of the evaluations of two runs that may stand in one table."""
    from sensor2sensor.report.load import Results

    # Seeds of one recipe are one entry of a table: here they are what is compared.
    own = [_alone(result) for result in results if any(_is_of(result, seen) for seen in pair)]
    groups = Results(Path(), tuple(own), ()).groups
    return [row for group in groups for row in _group(group, pair)]


def _is_of(result: Result, seen: Seen) -> bool:
    facts = result.facts
    return (facts.experiment, facts.timestamp) == (seen.experiment, seen.run.timestamp)


def _alone(result: Result) -> Result:
    return replace(result, facts=result.facts.model_copy(update={"recipe": None}))


def _group(group: Group, pair: Pair) -> list[Scored]:
    from sensor2sensor.report import compare
    from sensor2sensor.report.board import board_of
    from sensor2sensor.report.comparison import family
    from sensor2sensor.report.paired import against

    board = board_of(group)
    every = [entrant for entrant in board.entrants if entrant.results]
    sides = [[e for e in every if _is_of(e.results[0], seen)] for seen in pair]
    if not all(sides):
        return []
    (one, *_), (two, *_) = sides
    titles = compare.headings(group, unit=False)

    def mean(entrant: Entrant, metric: str) -> str:
        return compare.number(float(compare.values(entrant, metric).mean()))

    return [
        Scored(
            group.title,
            titles[told.metric],
            mean(one, told.metric),
            mean(two, told.metric),
            compare.gain_cell(told).replace("\n", "  "),
        )
        for told in family(against(board, [(two, one)]))
    ]


def refuse(first: Seen, second: Seen) -> None:
    """InputError where a run is held against itself, or one cannot be read."""
    for seen in (first, second):
        if seen.state == UNREADABLE:
            hint = "remove that run's folders"
            raise InputError(seen.reason, where=seen.run.run_json, hint=hint)
    if first.run == second.run:
        hint = "name two, as a/b/c/MMDD-hhmm"
        raise InputError("both are the same run", where=first.name, hint=hint)
