"""``runs.html``: curves, latest sheets and a table of all runs on one page, without a server.

Curves are in the page, thinned; sheets stay the files they are and are linked from where it lies.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.streams import ESCAPED
from sensor2sensor.core.page.pieces import put_in, read
from sensor2sensor.core.page.svg import text
from sensor2sensor.report.runs import listing
from sensor2sensor.report.runs.curves import Panel, panels
from sensor2sensor.report.runs.drawn import COLOURS, DASHES, drawn
from sensor2sensor.report.runs.found import RUNNING, STATES, Seen
from sensor2sensor.report.runs.sheets import LAPSE, STEP, sheets_of

HERE = Path(__file__).parent
NAME = "runs.html"
TICKED = 12  # runs whose curves are drawn unless others are ticked: the newest, and what runs
SHEETS = 40  # of a run, that its slider leads to
DIGITS = 5  # of a number of a curve
# Columns of the table, and how they stand and sort: of numbers the most first.
MOST, RIGHT = " data-most", ' class="n"'
HEADS = {
    "experiment": "", "run": "", "tag": "", "state": "", "step": RIGHT + MOST,
    "img/s": RIGHT + MOST, "best validation": MOST, "evaluation": MOST, "begun": RIGHT, "note": "",
}  # fmt: skip
SMALLEST_S = 5  # between two refreshments


@dataclass(frozen=True)
class _Line:
    """A run of the page.

    Attributes:
        number: Its place, the newest first.
        seen: The run.
        ticked: Whether its curves are drawn at first.
        folder: Of the page, from which sheets are linked.
    """

    number: int
    seen: Seen
    ticked: bool
    folder: Path

    @property
    def key(self) -> str:
        """Class of its curves: a colour and a dash."""
        return f"c{self.number % COLOURS} d{self.number // COLOURS % DASHES}"

    @cached_property
    def sheets(self) -> list[Path]:
        """Its sample sheets in the order of their steps, evenly thinned; the last is among them."""
        every = sheets_of(self.seen.run)
        count = min(SHEETS, len(every))
        return [every[round((i + 1) * len(every) / count) - 1] for i in range(count)]

    def link(self, path: Path) -> str:
        """A path as the page names it."""
        # Its bytes: an old disk has names that are no UTF-8.
        return quote(os.fsencode(os.path.relpath(path, self.folder)))


def write_page(runs: Sequence[Seen], path: Path, now: datetime, every: int | None = None) -> int:
    """Write the page.

    Args:
        runs: What it shows.
        path: The file.
        now: When, aware.
        every: How often it is written anew, seconds; None: once.

    Returns:
        Its bytes.

    Raises:
        InputError: It cannot be written there.
    """
    data = page(runs, path.absolute().parent, now, every).encode("utf-8", ESCAPED)
    try:
        files.write_bytes(path, data)
    except OSError as error:
        hint = "name a file elsewhere with --page"
        problem = f"cannot write the page ({error.strerror})"
        raise InputError(problem, where=path, hint=hint) from error
    return len(data)


def page(runs: Sequence[Seen], folder: Path, now: datetime, every: int | None = None) -> str:
    """The page as HTML; equal runs and times give equal pages.

    Args:
        runs: What it shows, in any order.
        folder: Where it will lie.
        now: When, aware.
        every: How often it is written anew, seconds; None: once.
    """
    newest = listing.ordered(runs, "age", reverse=True)
    lines = [
        _Line(number, seen, number < TICKED or seen.state == RUNNING, folder)
        for number, seen in enumerate(newest)
    ]
    found = panels([line.seen.run for line in lines])
    title = f"{len(lines)} {'run' if len(lines) == 1 else 'runs'}"
    refresh = f'<noscript><meta http-equiv="refresh" content="{every}"></noscript>' if every else ""
    common = read("page.css") + read("runs.css", HERE)
    return put_in(
        {
            "title": title,
            "refresh": refresh,
            "every": str(max(every, SMALLEST_S) if every else 0),
            "style": common,
            "side": "".join(map(_picked, lines)),
            "states": _states(lines),
            "written": text(f"{now:%Y-%m-%d %H:%M:%S} UTC"),
            "told": text(_told(lines)),
            "metrics": _panels([p for p in found if p.metric], lines),
            "losses": _panels([p for p in found if p.loss], lines),
            "watched": _panels([p for p in found if not (p.metric or p.loss)], lines),
            "sheets": "".join(_card(line) for line in lines if line.sheets) or _none("sample sheet"),
            "table": _table(lines, now),
            "data": _data(lines, found, now),
            "enlarged": read("enlarged.html"),
            "script": read("common.js") + read("enlarged.js") + read("runs.js", HERE),
        },
        read("runs.html", HERE),
    )


def _none(what: str) -> str:
    return f'<p class="note">No {what} yet; train.py --exp begins a run.</p>'


def _told(lines: Sequence[_Line]) -> str:
    counts = {s: sum(line.seen.state == s for line in lines) for s in STATES}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none yet"


def _states(lines: Sequence[_Line]) -> str:
    """Buttons that choose by state, of the states that there are."""
    found = [state for state in STATES if any(line.seen.state == state for line in lines)]
    return "".join(
        f'<button type="button" data-state="{state}" aria-pressed="false">'
        f'<i class="dot {state}"></i>{state}</button>'
        for state in found
    )


def _picked(line: _Line) -> str:
    """A run at the side: its tick, its line, how far it is."""
    seen, share = line.seen, _share(line.seen)
    state = seen.state if seen.state in STATES else "other"
    bar = f'<progress max="1" value="{share:.3f}"></progress>' if seen.state == RUNNING else ""
    tag = f' <b class="tag">{text(seen.tag)}</b>' if seen.tag else ""
    return (
        f'<li data-run="{line.number}"><label><input type="checkbox"'
        f'{" checked" if line.ticked else ""}><svg viewBox="0 0 22 8" aria-hidden="true">'
        f'<path class="s {line.key}" d="M1 4H21"/></svg><span><span class="who">'
        f"{_broken(seen.experiment)}</span>"
        f'<small><i class="dot {state}" title="{text(seen.state)}"></i>{text(seen.run.timestamp)} · '
        f"{text(listing.step_in_words(seen))}{tag}</small>{bar}</span></label></li>"
    )


def _broken(name: str) -> str:
    """A name that may be broken behind its slashes."""
    return text(name).replace("/", "/<wbr>")


def _share(seen: Seen) -> float:
    return min(seen.step / seen.steps, 1.0) if seen.steps else 0.0


def _panels(found: Sequence[Panel], lines: Sequence[_Line]) -> str:
    ticked = {line.number: line.key for line in lines if line.ticked}
    names = [line.seen.name for line in lines]
    made = [
        f'<div class="plot" data-panel="{text(panel.name)}">'
        f"{drawn(panel, ticked, names)}</div>"
        for panel in found
    ]
    return f'<div class="panels">{"".join(made)}</div>' if made else _none("curve")


def _card(line: _Line) -> str:
    """The latest sheet of a run, with a slider over the earlier ones."""
    seen, last = line.seen, line.sheets[-1]
    step = STEP.fullmatch(last.name)
    number = int(step[1]) if step else 0
    told = f"{seen.name}, step {number}"
    slider = (
        f'<input type="range" min="0" max="{len(line.sheets) - 1}" value="{len(line.sheets) - 1}" '
        f'aria-label="step of {text(seen.name)}">'
        if len(line.sheets) > 1
        else ""
    )
    lapse = seen.run.samples_dir / LAPSE
    more = f'<a href="{line.link(lapse)}">time-lapse</a>' if lapse.is_file() else ""
    return (
        f'<figure class="card" data-run="{line.number}"><button class="zoom" type="button" '
        f'title="enlarge"><img loading="lazy" decoding="async" alt="{text(told)}" '
        f'src="{line.link(last)}"></button><figcaption><span class="who">'
        f"{_broken(seen.experiment)} <small>{text(seen.run.timestamp)}</small></span>"
        f"<output>step {number}</output>{more}</figcaption>{slider}</figure>"
    )


def _table(lines: Sequence[_Line], now: datetime) -> str:
    if not lines:
        return _none("run")
    head = "".join(f'<th{kind} scope="col">{name}</th>' for name, kind in HEADS.items())
    body = "".join(_row(line, now) for line in lines)
    return (
        f'<div class="scroll tall"><table class="sort"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(line: _Line, now: datetime) -> str:
    seen = line.seen
    cells = listing.cells(seen, now)
    state = seen.state if seen.state in STATES else "other"
    began = -seen.started.timestamp() if seen.started else ""
    # What is sorted by, where that is not what is shown.
    values = {4: seen.step, 5: seen.images_per_s or "", 8: began,
              6: seen.best.value if seen.best else "", 7: seen.test.value if seen.test else ""}
    note = text("; ".join([seen.reason, *seen.warnings, *(f"{n.time[:16].replace('T', ' ')} {n.text}".strip()
                                          for n in seen.notes)]).removeprefix("; "))
    shown = [text(cell) for cell in cells]
    shown[0], shown[9] = _broken(seen.experiment), note
    shown[3] = f'<i class="dot {state}"></i>{shown[3]}'
    row = "".join(
        f"<td{RIGHT if RIGHT in kind else ''}{_sorted_by(place, values)}>{cell}</td>"
        for place, (cell, kind) in enumerate(zip(shown, HEADS.values(), strict=True))
        if place
    )
    return f'<tr data-run="{line.number}"><th scope="row">{shown[0]}</th>{row}</tr>'


def _sorted_by(place: int, values: Mapping[int, object]) -> str:
    return f' data-v="{values[place]}"' if place in values else ""


def _data(lines: Sequence[_Line], found: Sequence[Panel], now: datetime) -> str:
    """What the script draws from, as JSON that no ``</script>`` can end."""
    content = {
        "written": round(now.timestamp()),
        "runs": [
            {
                "name": line.seen.name, "key": line.key, "state": line.seen.state,
                "ticked": line.ticked, "words": _words(line.seen),
                "sheets": [[_step(path), line.link(path)] for path in line.sheets],
            }
            for line in lines
        ],
        "panels": {
            panel.name: {
                "title": panel.title, "better": panel.better, "metric": panel.metric,
                "train": [[run, steps, _short(values)] for run, (steps, values) in panel.train],
                "looks": [[run, steps, _short(values)] for run, (steps, values) in panel.looks],
            }
            for panel in found
        },
    }  # fmt: skip
    told = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", told)


def _step(path: Path) -> int:
    found = STEP.fullmatch(path.name)
    return int(found[1]) if found else 0


def _short(values: Sequence[float]) -> list[Any]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _words(seen: Seen) -> str:
    """What a filter looks into."""
    notes = " ".join([*(note.text for note in seen.notes), *seen.warnings])
    return " ".join([seen.name, seen.tag or "", seen.state, seen.model or "", notes]).lower()
