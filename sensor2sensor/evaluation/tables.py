"""The tables that ``evaluate.py`` prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sensor2sensor.config import evaluations
from sensor2sensor.config.evaluations import (
    BY_DEFINITION,
    masks_in_words,
    published_cells,
    published_title,
)
from sensor2sensor.config.vocabulary import ARROWS, DSEN2CR, PIX2PIX_MAPS
from sensor2sensor.dataset.strata import split_column
from sensor2sensor.evaluation.definitions import definitions, info
from sensor2sensor.evaluation.published import results_table
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.evaluation.summary import Gain

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

LEFT = ("method", "verdict")
WIDTH = 120


def number(value: float | None) -> str:
    """Four significant digits, or a dash where there is no value."""
    if value is None:
        return "–"
    # Of 0.0004 four decimals leave one digit, of an error in reflectance what matters most.
    text = f"{value:.4f}"
    return text if abs(value) >= 0.01 or value == 0 else f"{value:.3g}"


def _heading(evaluation: Evaluation, column: str) -> Text:
    """Label, direction and unit; as text, for rich takes ``[dB]`` in a string for a style."""
    name = split_column(column)[0]
    facts = (evaluation.profile, (name,), evaluation.unit, evaluation.undefined)
    known = definitions(*facts)[name]
    shown = known["undefined"] or known["unit"]
    unit = f" [{shown}]" if shown != "1" else ""
    return Text(f"{known['label']} {ARROWS[info(name).better]}{unit}")


def _table(title: str, columns: Iterable[str]) -> Table:
    table = Table(title=Text(title), title_justify="left", title_style="bold")
    first, *rest = columns
    table.add_column(first)
    for column in rest:
        table.add_column(column, justify="left" if column in LEFT else "right")
    return table


def summary_table(
    evaluation: Evaluation, title: str, columns: Sequence[str] | None = None
) -> Table:
    """Mean, min, max, std and the tiles left out, per metric and method.

    Args:
        evaluation: The scores.
        title: Of the table.
        columns: Those of a part; the metrics of whole tiles by default.
    """
    pooled = ("pooled",) if evaluation.pooled is not None else ()
    spread = ("min", "max", "std", "tiles", "undefined", "infinite")
    table = _table(title, ("metric", "method", "mean", *pooled, *spread))
    for name in columns or evaluation.metrics:
        # Of tiles that show the stratum: the others are not lacking.
        tiles = len(evaluation.within(evaluation.methods[0], name))
        for position, method in enumerate(evaluation.methods):
            item = evaluation.summary[method][name]
            values = [number(v) for v in (item.mean, item.min, item.max, item.std)]
            if evaluation.pooled is not None:
                values.insert(1, number(evaluation.pooled.scores[method].get(name)))
            if evaluation.given(method, name):
                values = [BY_DEFINITION, *(number(None) for _ in values[1:])]
            lacking = (str(v) for v in (item.undefined, item.infinite))
            counts = (_share(item.count, tiles), *lacking)
            label = "" if position else _heading(evaluation, name)
            table.add_row(label, method, *values, *counts)
        table.add_section()
    return table


def pooled_table(evaluation: Evaluation) -> Table:
    """Pooled scores of profile dsen2cr as published tables have them: a row for each method."""
    rows = {}
    for method in evaluation.methods:
        given = {name for name in evaluation.columns if evaluation.given(method, name)}
        scores = {} if evaluation.pooled is None else evaluation.pooled.scores[method]
        rows[method] = published_cells(scores, given)
    headings = rows[evaluation.methods[0]]
    table = _table(published_title(evaluation.strata), ("method", *headings))
    for method, cells in rows.items():
        table.add_row(Text(method), *cells.values())
    return table


def _share(count: int, total: int) -> str:
    """``40``, or ``20 of 40`` where some tiles have no finite value."""
    return str(total) if count == total else f"{count} of {total}"


def _gain_row(item: Gain) -> tuple[str, ...]:
    share = "–" if item.better_share is None else f"{100 * item.better_share:.0f} %"
    mean = "–" if item.mean is None else f"{item.mean:+.3g}"
    ends = "–" if item.t_low is None else f"{item.t_low:+.3g} to {item.t_high:+.3g}"
    verdict = item.note if item.verdict == "none" else f"{item.verdict} {item.note}".strip()
    return mean, ends, share, _share(item.count, item.count + item.left_out), verdict


def gain_table(
    evaluation: Evaluation, baseline: str, columns: Sequence[str] | None = None, place: str = ""
) -> Table:
    """Paired gain over one baseline with its intervals; positive is better for every metric.

    Args:
        evaluation: The scores.
        baseline: The method it is over.
        columns: Those of a part; the metrics of whole tiles by default.
        place: Where that is, for the title: `` within 'cloudy'``.
    """
    shown = columns or evaluation.metrics
    gains = {name: evaluation.gains[baseline][name] for name in shown}
    over = " or ".join(dict.fromkeys(item.over for item in gains.values() if item.over))
    # One run's table is not corrected for its number of metrics, as tables of the report are.
    basis = f"; intervals over {over}, each metric by itself" if over else ""
    title = f"Gain of {evaluation.methods[0]} over {baseline}{place} (positive = better{basis})"
    table = _table(title, ("metric", "mean", "95 % (t)", "better on", "tiles", "verdict"))
    for name, item in gains.items():
        table.add_row(_heading(evaluation, name), *_gain_row(item))
    return table


def _show_strata(evaluation: Evaluation, console: Console) -> None:
    """The same tables within each part that the tiles show any of."""
    for part in evaluation.strata:
        (pixels, tiles), place = evaluation.pixels(part), f" {part.told}"
        if not pixels:
            console.print(f"no tile has a pixel{place}")
            continue
        columns = evaluation.columns_of(part)
        ground = f"{pixels} pixels in {tiles} of {evaluation.tiles} tiles"
        console.print(summary_table(evaluation, f"Scores{place}: {ground}", columns))
        behind = evaluation.grounds[part.name]
        counts = [f"{info(name).label} {count}" for name, count in behind.windows.items()]
        where = "wholly" if part.stratum is None else "centred"
        console.print(f"windows {where}{place}: {', '.join(counts)}")
        _show_zero_truth(behind.sam_left_out, console, place)
        _show_gains(evaluation, columns, place, console)


def stronger(evaluation: Evaluation, columns: Sequence[str]) -> tuple[str, ...]:
    """Other baselines that beat the reference in most of some columns; none without one."""
    reference, summary = evaluation.reference, evaluation.summary
    if reference is None:
        return ()
    better = {n: info(n).better for n in columns if not evaluation.given(reference, n)}
    others = evaluation.methods[1:-1]
    return evaluations.stronger(reference, others, better, lambda m, n: summary[m][n].mean)


def _show_gains(
    evaluation: Evaluation, columns: Sequence[str], place: str, console: Console
) -> None:
    """The gain over the reference, and over every baseline that is the stronger one here."""
    if evaluation.reference is None:
        return
    for baseline in (evaluation.reference, *stronger(evaluation, columns)):
        console.print(gain_table(evaluation, baseline, columns, place))


def _show_zero_truth(share: float, console: Console, place: str = "") -> None:
    if share:
        console.print(
            f"SAM leaves out {100 * share:.2g} % of the pixels{place}: their truth is zero"
        )


def ground_note(contract: DatasetContract, split: str) -> str:
    """One line on how the split was made and how much of its ground training has seen."""
    policy = contract.split_policy
    shared = policy.ground_shared.get(split)
    seen = "an unknown share" if shared is None else f"{100 * shared:.1f} %"
    told = " (told by groups, which stand for it)" if policy.ground == "group" else ""
    return f"{policy.described()}: {seen} of the ground of '{split}' is in 'train' too{told}"


def show(evaluation: Evaluation, contract: DatasetContract, title: str, console: Console) -> None:
    """Print the summary, the gains over the strongest baselines and the split's ground share.

    Profiles of a published model have its own table, too.
    """
    # A log file has no width of its own, and 80 columns would cut the numbers: better wrapped.
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDTH
    if evaluation.profile == PIX2PIX_MAPS:
        console.print(results_table(evaluation))
    console.print(summary_table(evaluation, title))
    _show_gains(evaluation, evaluation.metrics, "", console)
    for line in masks_in_words(evaluation.strata):
        console.print(line)
    _show_strata(evaluation, console)
    odd = {
        method: {state: n for state, n in states.items() if state != "ordinary"}
        for method, states in evaluation.states.items()
    }
    for method, states in odd.items():
        for state, count in states.items():
            word = state.replace("_", " ")
            console.print(f"{method}: {count} of {evaluation.tiles} tiles {word}")
    _show_zero_truth(evaluation.sam_left_out, console)
    if evaluation.scene_unit != "overpass":
        console.print(f"scenes are told apart by {evaluation.scene_unit}")
    console.print(ground_note(contract, evaluation.split))
    if evaluation.profile == DSEN2CR:
        console.print(pooled_table(evaluation))
