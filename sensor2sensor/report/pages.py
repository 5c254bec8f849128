"""Pieces of the report as HTML that stands alone: tables and embedded pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.config.environment import load_environment
from sensor2sensor.report import compare, plots, published
from sensor2sensor.report.baselines import gained_over
from sensor2sensor.report.file import Picture
from sensor2sensor.report.load import Group, Result, Results

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = """<style>
.s2s table {border-collapse: collapse; font-size: 13px; margin: 4px 0 14px}
.s2s th, .s2s td {padding: 3px 8px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid #e2e2e2}
.s2s thead th {border-bottom: 2px solid #555; vertical-align: bottom}
.s2s tbody th {text-align: left !important; font-weight: normal}
.s2s td.best {font-weight: bold}
.s2s td small, .s2s th small {font-weight: normal; color: #666}
.s2s tr.baseline {color: #666}
.s2s .wide {overflow-x: auto}
.s2s p.note {color: #555; font-size: 12px; margin: 2px 0 8px; max-width: 70em}
.s2s figure {margin: 6px 0 14px}
.s2s figure img {max-width: 100%}
</style>"""
UPRIGHT_RUNS = 5  # so few runs fit as columns; eleven intervals side by side fit no page
NO_RESULTS = "No evaluation to compare in {folder}. Train and evaluate an experiment first."


@dataclass(frozen=True)
class Page:
    """A piece of HTML that a notebook shows by itself.

    Attributes:
        body: The HTML.
    """

    body: str

    def _repr_html_(self) -> str:
        return f'{STYLE}<div class="s2s">{self.body}</div>'

    def __repr__(self) -> str:
        return "(HTML; open the notebook in Jupyter or export it with nbconvert)"


def evaluation_folder(environment: str | Path | None = None) -> Path:
    """The ``_evaluation`` folder of an ``environment.json``."""
    return load_environment(environment).evaluation_dir


def note(text: str) -> str:
    """A line in small print."""
    return f'<p class="note">{html.escape(text)}</p>'


def _title(group: Group) -> str:
    return f"<h3>{html.escape(group.title)}</h3>"


def _image(data: bytes, alt: str) -> str:
    # Embedded: a notebook that is sent on keeps its pictures.
    code = base64.b64encode(data).decode("ascii")
    source = f"data:image/png;base64,{code}"
    return f'<figure><img alt="{html.escape(alt, quote=True)}" src="{source}"></figure>'


def _cells(row: Sequence[str], best: Sequence[bool]) -> str:
    kinds = [' class="best"' if mark else "" for mark in best]
    return "".join(f"<td{k}>{_cell(c)}</td>" for k, c in zip(kinds, row, strict=True))


def _cell(text: str) -> str:
    """The value; what stands after the first line (spread, interval) small beneath it."""
    # Escaped: names come from folders and files of other people.
    value, _, detail = html.escape(text).partition("\n")
    return f"{value}<br><small>{detail}</small>" if detail else value


def table_html(
    table: pd.DataFrame, best: pd.DataFrame | None = None, baselines: Sequence[str] = ()
) -> str:
    """A table with row labels; ``best`` marks cells in bold, baselines are grey."""
    head = "".join(f"<th>{_cell(str(name))}</th>" for name in table.columns)
    lines = []
    for position, label in enumerate(table.index):
        marks = list(best.iloc[position]) if best is not None else [False] * table.shape[1]
        cells = _cells([str(table.iat[position, c]) for c in range(table.shape[1])], marks)
        kind = ' class="baseline"' if label in baselines else ""
        lines.append(f"<tr{kind}><th>{_cell(str(label))}</th>{cells}</tr>")
    body = "".join(lines)
    return f'<div class="wide"><table><thead><tr><th></th>{head}</tr></thead>{body}</table></div>'


def _each(results: Results, piece: Callable[[Group], str]) -> Page:
    """The same piece for every group, each under its own heading."""
    if not results.groups:
        return Page(note(NO_RESULTS.format(folder=results.folder)))
    return Page("".join(_title(group) + piece(group) for group in results.groups))


def _and_strata(piece: Callable[[Group], str]) -> Callable[[Group], str]:
    """The same piece of whole tiles, then within each stratum that the group's tiles show."""

    def pieces(group: Group) -> str:
        inner = (f"<h4>{html.escape(g.title)}</h4>{piece(g)}" for g in group.strata)
        return piece(group) + "".join(inner)

    return pieces


def baselines_of(group: Group) -> list[str]:
    """Labels of the baselines, which stand in grey."""
    return [entrant.label for entrant in compare.entrants(group) if entrant.baseline]


def ground(group: Group) -> str:
    """How the split was made, and how much of the scored ground training has seen."""
    if group.facts.scored_on is not None:
        return _elsewhere(group)
    policy = group.facts.dataset.split_policy
    shared = policy["ground_shared"].get(group.facts.split)
    seen = "an unknown share" if shared is None else f"{100 * shared:.1f} %"
    guard = policy.get("guard_m", 0.0)  # evaluations from before it was kept lack it
    around = f" with a guard of {guard:g} m" if guard else " without a guard"
    by = policy["by"] + (around if policy["by"] == "block" else "")
    told = " (told by groups, which stand for it)" if policy.get("ground") == "group" else ""
    return f"Split by {by}: {seen} of the scored ground was seen in training{told}."


def _elsewhere(group: Group) -> str:
    """Of another data set its own policy says nothing: what the runs have seen was counted."""
    there = [r.facts.scored_on for r in group.results if r.facts.scored_on is not None]
    counts = [one.seen_tiles for one in there if one.seen_tiles is not None]
    told = []
    if counts:
        seen = " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))
        told.append(f"{seen} of {there[0].tiles} tiles show ground that the runs were trained on")
    if len(counts) < len(there):
        told.append("what some runs were trained on nobody knows")
    if val := max((one.val_tiles for one in there if one.val_tiles is not None), default=0):
        told.append(f"{val} more show ground that val shows, which may have chosen the checkpoint")
    made = dict.fromkeys(words for one in there for words in one.differs)
    told += [f"made otherwise than in training: {', '.join(made)}"] if made else []
    return f"Scored on another data set than trained on: {'; '.join(told)}."


def _summary(group: Group) -> str:
    table = compare.summary_table(group)
    told = (
        "Mean ± standard deviation over tiles. Baselines in grey; ↑ higher is "
        "better, ↓ lower is better. Values that are undefined (a constant image has no "
        "correlation) or infinite (PSNR of a perfect one) are counted, never averaged; "
        "“20 of 40” stands where tiles lack a finite value. Bold is best by the mean on the "
        "tiles that all share. "
    )
    drawn = table_html(table, compare.best_cells(group, table), baselines_of(group))
    if any(result.facts.pooled for result in group.results):
        told += "“Pooled” is over all pixels at once, as published numbers are. "
    return drawn + note(told + compare.lacking(group) + behind(group) + ground(group))


def behind(group: Group) -> str:
    """How many windows are behind the scores within a stratum, and which pixels SAM leaves out."""
    # Of the truth, so one for all; evaluations from before the count have 0.
    share = max(result.facts.sam_left_out for result in group.results)
    told = group.windows.items()
    counts = ", ".join(f"{compare.labels(group)[column]} {count}" for column, count in told)
    where = "centred in" if compare.of_a_profile(group) else "wholly within"
    inside = f"Windows {where} '{group.stratum}': {counts}. " if counts else ""
    zero = f"SAM leaves out {100 * share:.2g} % of the pixels: zero truth. " if share else ""
    return inside + zero


def _ranks(group: Group) -> str:
    if not compare.ranked(group):
        return note(compare.UNRANKED)
    told = (
        "1 is best. All are ranked on the same tiles; who lacks a finite value on one of them "
        "comes last. The mean is over the metrics that all have a rank in."
    )
    return table_html(compare.rank_table(group), None, baselines_of(group)) + note(told)


def _gains(group: Group) -> str:
    overs = gained_over(group)
    # Named where there are several: the tables of two baselines look alike.
    heads = [note(f"Gain over {over}:") if overs[1:] else "" for over in overs]
    pieces = [_gains_over(group, over) for over in overs]
    told = [head + piece for head, piece in zip(heads, pieces, strict=True) if piece]
    return "".join(told) or note("No baseline was evaluated.")


def _gains_over(group: Group, over: str) -> str:
    """Table, plot and note of one baseline; empty where no run is compared with it."""
    table, made = compare.gain_table(group, over), plots.gain_plot(group, over)
    if table is None or made is None:
        return ""
    told = (
        "Mean paired difference per tile, signed so that positive is better for every metric. "
        "Interval: 95 %, Student's t with the cluster-robust variances of blocks of ground and of "
        f"scenes; here: {compare.independent_groups(group, over)}. ✓ better, ✗ worse than "
        f"{over}; no verdict where a side fails on a tile that the metric is defined "
        f"on{_spared(group)}. "
        f"{compare.correction(group, over)} A scene is told from others by "
        f"{group.facts.scene_unit}."
    )
    alt = f"gain over {over} per metric with intervals"
    upright = table.T if len(table) <= UPRIGHT_RUNS else table
    return table_html(upright) + _figure(made, alt) + note(told)


def _spared(group: Group) -> str:
    return "" if group.stratum is None else ", unless too few of its pixels lie within the stratum"


def _figure(made: Figure, alt: str) -> str:
    return _image(plots.png(made), alt)


def overview(results: Results) -> Page:
    """What was read, and what was skipped and why."""
    import pandas as pd

    lines = [line_of(result) for result in results.results]
    body = table_html(pd.DataFrame(lines).set_index("experiment")) if lines else ""
    if not lines:
        body = note(NO_RESULTS.format(folder=results.folder))
    if results.skipped:
        bad = [{"file": s.path.name, "skipped because": s.reason} for s in results.skipped]
        body += "<h3>Skipped</h3>" + table_html(pd.DataFrame(bad).set_index("file"))
    return Page(body)


def line_of(result: Result) -> dict[str, str]:
    """What was scored, of one evaluation."""
    facts, data = result.facts, result.facts.dataset
    return {
        "experiment": facts.experiment,
        "run": facts.timestamp,
        "model": facts.model_name,
        "step": str(facts.step),
        "data set": f"{data.name} ({data.tile_px} px, factor {data.factor:g})",
        "split": facts.split,
        "tiles": str(facts.tiles),
        "profile": facts.profile,
    }


def summary(results: Results) -> Page:
    """Mean ± std per metric, model and baseline; one table per data set and profile."""
    return _each(results, lambda group: _and_strata(_summary)(group) + _pooled(group))


def _pooled(group: Group) -> str:
    """The scores as published tables have them; nothing of profiles without such a table."""
    table = published.pooled_table(group)
    if table is None:
        return ""
    heading = f"<h4>{html.escape(published.title(group))}</h4>"
    return heading + table_html(table, None, baselines_of(group))


def ranks(results: Results) -> Page:
    """Ranks per metric and their mean."""
    return _each(results, _and_strata(_ranks))


def gains(results: Results) -> Page:
    """Paired gain over the reference and each baseline that beats it, as tables and plots."""
    return _each(results, _and_strata(_gains))


def boxes(results: Results) -> Page:
    """Distributions over tiles."""
    told = "Box: quartiles, line: median, diamond: mean, whiskers: 1.5 interquartile ranges."
    return _each(results, lambda g: _figure(plots.box_plots(g), "box plot per metric") + note(told))


def scenes(results: Results) -> Page:
    """Mean of the first metric, scene by scene."""
    return _each(results, _scenes)


def _scenes(group: Group) -> str:
    definition = next(iter(group.metrics.values()))
    told = f"{compare.heading(definition, unit=False)}: mean over the tiles of each scene."
    return table_html(compare.scene_table(group), None, baselines_of(group)) + note(told)


def gallery(results: Results) -> Page:
    """Best, median and worst tile of every run: input, prediction, baseline, truth, errors."""
    return _each(results, _gallery)


def _gallery(group: Group) -> str:
    parts = []
    for result in group.results:
        parts.append(f"<h4>{html.escape(group.label(result))}</h4>")
        parts += [picture(result, entry) for entry in result.facts.gallery]
    told = "Colours show each band's fixed value range; errors end at a quarter of it."
    return "".join(parts) + note(told)


def picture(result: Result, entry: Picture) -> str:
    """One picture of a gallery, embedded."""
    path = result.path.parent / entry.file
    # A JSON from elsewhere must not bring files from outside its folder into the page.
    inside = path.resolve().is_relative_to(result.path.parent.resolve())
    if inside and path.is_file():
        return _image(path.read_bytes(), entry.caption)
    return note(f"{entry.file} is missing; run evaluate.py again")
