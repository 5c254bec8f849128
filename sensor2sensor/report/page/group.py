"""The sections of one group: everything that may be compared with each other."""

from __future__ import annotations

from collections.abc import Sequence

from sensor2sensor.core.page.section import Section, filled, folded, note
from sensor2sensor.core.page.svg import text
from sensor2sensor.core.page.tables import table
from sensor2sensor.report import compare, cross_sensor, pages, published
from sensor2sensor.report.failures import FAILED, failures
from sensor2sensor.report.load import Group
from sensor2sensor.report.page import charts, coverage, curves, gains, tiles, trust, wall
from sensor2sensor.report.page import parts as parts_of
from sensor2sensor.report.page.pictures import Album
from sensor2sensor.report.page.view import View

BOXES = (
    "Baselines in grey, then the models from the best mean rank down. Box: quartiles; line: "
    "median; diamond: mean; whiskers: 1.5 interquartile ranges; dots: tiles beyond them. An arrow "
    "counts tiles beyond the axis."
)
FAILURES = "Tiles without a finite value where another method has one, and states of images"
RANKS = (
    "1 is best. A circle is larger where more metrics give that rank; the bar is their mean. All "
    "are ranked on the same tiles; who lacks a finite value on one of them comes last."
)


def titles(groups: Sequence[Group]) -> list[str]:
    """A short name of each group; with digits of its data set where two would be called alike."""
    short = [_short(group) for group in groups]
    return [
        f"{name} ({group.facts.dataset.sha256.split(':')[-1][:8]})"
        if short.count(name) > 1
        else name
        for name, group in zip(short, groups, strict=True)
    ]


def _short(group: Group) -> str:
    facts = group.facts
    profile = "" if facts.profile == "standard" else f", profile {facts.profile}"
    split = "" if facts.split == "test" else f", split {facts.split}"
    there = facts.scored_on
    trained = "" if there is None else f", trained on {there.trained_on.name}"
    left_out = ", without excluded tiles" if facts.filters.get("exclude_tiles") else ""
    return f"{facts.dataset.name}{profile}{split}{trained}{left_out}"


def section(view: View, album: Album) -> Section:
    """All of one group."""
    key, group = view.key, view.group
    overs = " and ".join(view.overs) or "a baseline"
    parts = (
        Section(f"{key}-gain", f"Gain over {overs}", gains.over_baselines(view), short="Gain"),
        Section(f"{key}-pairs", "Model against model", gains.between_models(view)),
        Section(f"{key}-scores", "Scores", _scores(view)),
        Section(f"{key}-ranks", "Ranks", _ranks(view)),
        Section(f"{key}-boxes", "Distribution over tiles", _boxes(view), short="Distribution"),
        Section(f"{key}-frr", "Frequencies restored", _frequencies(group), short="Frequencies"),
        Section(f"{key}-parts", "Breakdown", parts_of.broken_down(view)),
        Section(f"{key}-trust", "Trust: improved, left out, made up", trust.trust(view, album),
                short="Trust"),
        Section(f"{key}-cover", "Coverage of intervals", coverage.coverage(group),
                short="Coverage"),
        Section(f"{key}-wall", "The same tiles by every model", wall.wall(group, album, key),
                short="Same tiles"),
        Section(f"{key}-tiles", "Best, median and worst tiles", tiles.galleries(group, album, key),
                short="Best and worst tiles"),
        Section(f"{key}-worst", "Tiles to tick", tiles.worst(view), short="Tiles to tick"),
    )  # fmt: skip
    return Section(key, view.title, _head(view), filled(parts))


def _head(view: View) -> str:
    """What is behind the group, as a row of numbers, and its whole name."""
    facts = view.group.facts
    blocks = max((one.blocks for one in view.every), default=0)
    scenes = max((one.scenes for one in view.every), default=0)
    shared, ground = view.seen, "ground" if facts.scored_on is None else "tiles on ground"
    runs, models, others = len(view.group.results), len(view.models), len(view.grey)
    numbers = {
        "tiles": f"{facts.tiles:,}",
        "blocks of ground": blocks or None,
        "scene" if scenes == 1 else "scenes": scenes or None,
        "model" if models == 1 else "models": models,
        "runs, seeds among them": runs if runs > len(view.models) else None,
        "baseline" if others == 1 else "baselines": others,
        f"of the {ground} seen in training": None if shared is None else f"{100 * shared:.1f} %",
    }
    items = "".join(
        f"<li><b>{value}</b> {text(name)}</li>"
        for name, value in numbers.items()
        if value is not None
    )
    return f'<p class="whole">{text(view.group.title)}</p><ul class="facts">{items}</ul>'


def _scores(view: View) -> str:
    group, frame = view.group, compare.summary_table(view.group)
    told = (
        "Mean ± standard deviation over tiles, baselines in grey. Undefined and infinite values "
        "are counted, never averaged. Bold is best by the mean on the tiles that all share. "
    )
    if any(result.facts.pooled for result in group.results):
        told += "“Pooled” is over all pixels at once, as published numbers are. "
    told += compare.lacking(group) + pages.behind(group) + pages.ground(group)
    best = compare.best_cells(group, frame)
    body = table(frame, "Mean ± standard deviation over tiles", best=best, baselines=view.grey,
                 corner="model", note=told)  # fmt: skip
    pooled = published.pooled_table(group) if group.stratum is None else None
    if pooled is not None:
        body += table(pooled, published.title(group), baselines=view.grey, corner="model")
    body += _failed(view)
    return body + "".join(folded(part.title, _scores(part)) for part in view.strata)


def _failed(view: View) -> str:
    """Who failed where the truth allows a value; empty where nobody did."""
    frame = failures(view.group, view.found)
    odd = frame.columns[list(frame.columns).index(FAILED) + 2 :]
    if not frame[FAILED].any() and not frame[odd].to_numpy().any():
        return ""
    return folded(
        "Failed and unusual tiles", table(frame, FAILURES, baselines=view.grey, corner="model")
    )


def _ranks(view: View) -> str:
    if not compare.ranked(view.group):
        return note(compare.UNRANKED) if view.group.stratum is None else ""
    if len(view.ranks) < 2:
        return ""
    ranked = table(view.ranks, "Rank of the mean, metric by metric", baselines=view.grey,
                   corner="model")  # fmt: skip
    body = charts.rank_panel(view.ranks, view.grey) + note(RANKS) + folded("As a table", ranked)
    return body + "".join(folded(part.title, _ranks(part)) for part in view.strata)


def _boxes(view: View) -> str:
    baselines = [entrant for entrant in view.found if entrant.baseline]
    return charts.box_panels(view.group, [*baselines, *view.models]) + note(BOXES)


def _frequencies(group: Group) -> str:
    """Spectra and rates of profile torchsisr; both modes apart, since no number means the same."""
    own = [result for result in group.results if result.facts.cross_sensor is not None]
    modes = dict.fromkeys(
        mode for r in own if r.facts.cross_sensor for mode in r.facts.cross_sensor.fda
    )
    told = []
    for mode in modes:
        drawn = curves.spectra(own, group, mode)
        if drawn:
            told.append(f"<h4>Mode {text(mode)}</h4>{curves.rate_panels(own, group, mode)}{drawn}")
    frames = [
        (group.label(r), title, f) for r in own for title, f in cross_sensor.frames(r).items()
    ]
    tabled = {
        label: "".join(table(f, title) for who, title, f in frames if who == label)
        for label in dict.fromkeys(label for label, _, _ in frames)
    }
    told += [folded(f"Bands, sites and flow of {label}", body) for label, body in tabled.items()]
    return "".join(told) + note(cross_sensor.WARNING) if told else ""
