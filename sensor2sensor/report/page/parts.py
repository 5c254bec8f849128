"""Scores of a group broken down by what is known of the tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor2sensor.core.page.section import folded, note
from sensor2sensor.core.page.tables import table
from sensor2sensor.report import breakdown, compare, comparison
from sensor2sensor.report.breakdown import Breakdown, Cell
from sensor2sensor.report.comparison import many
from sensor2sensor.report.page.view import View

if TYPE_CHECKING:
    import pandas as pd

OPEN = 2  # breakdowns in sight; a data set may record a dozen facts
NAMES = {
    "time_difference_h": "time difference",
    "shift_px": "shift",
    "cloud_share": "cloud",
    "inside_mask": "inside a mask of step 40",
    "seen_in_training": "seen in training",
    "seen_in_validation": "seen in validation",
}


def broken_down(view: View) -> str:
    """The first metric by every fact that tells tiles apart; by scene alone without facts."""
    group = view.group
    found = breakdown.facts(group)
    if not found or view.board.facts is None:
        return _by_scene(view) + note(
            f"By scene alone: {view.board.why}." if view.board.why else ""
        )
    definition = next(iter(group.metrics.values()))
    head = compare.heading(definition, unit=False)
    made = [breakdown.breakdown(group, by, board=view.board) for by in found]
    told = "".join(
        _table(view, one, head)
        if place < OPEN
        else folded(f"By {_name(one.by).lower()}", _table(view, one, head))
        for place, one in enumerate(made)
    )
    base = made[0].over
    about = (
        "Mean over the tiles of each part; how many tiles and blocks are behind it stands small. "
    )
    if base is not None:
        about += (
            f"✓ better and ✗ worse than {base} there, after Holm's correction over the table. "
            "A number is parted at its terciles."
        )
    return told + note(about)


def _name(by: str) -> str:
    name = NAMES.get(by, by.replace("share@", "share of ").replace("_", " "))
    return name[:1].upper() + name[1:]


def _table(view: View, one: Breakdown, head: str) -> str:
    import pandas as pd

    cells = {(cell.part.label, cell.label): cell for cell in one.cells}
    entrants = [e.label for e in view.found if e.baseline] + [e.label for e in view.models]
    unit = f" ({one.unit})" if one.unit else ""
    rows = {}
    for part in one.parts:
        counted = many(len(part.tiles), "tile"), many(part.blocks, "block")
        behind = f"{part.label}\n{', '.join(counted)}"
        rows[behind] = {
            label: _cell(cells[part.label, label])
            for label in entrants
            if (part.label, label) in cells
        }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    known = [cell.comparison for cell in one.cells if cell.comparison is not None]
    told = comparison.told(known, "parts") if known else ""
    caption = f"{head} by {_name(one.by).lower()}{unit}"
    return table(frame, caption, baselines=view.grey, corner=_name(one.by), note=told)


def _cell(cell: Cell) -> str:
    mean, compared = compare.number(cell.mean), cell.comparison
    part = compare.share(cell.count, len(cell.part.tiles))
    lost = f"\n({part})" if part else ""
    if compared is None or compared.mean is None:
        return mean + lost
    mark = {"better": " ✓", "worse": " ✗"}.get(compared.verdict, "")
    gain = f"{compared.mean:+.2g}".replace("-", "−", 1)
    words = ", ".join(filter(None, (gain, compare.p_in_words(compared))))
    return f"{mean}{mark}\n{words}{f' ({part})' if part else ''}"


def _by_scene(view: View) -> str:
    definition = next(iter(view.group.metrics.values()))
    title = f"{compare.heading(definition, unit=False)}, mean over the tiles of each scene"
    frame: pd.DataFrame = compare.scene_table(view.group)
    # Scenes down: hundreds of them side by side would be read by nobody.
    turned = len(frame.columns) > len(frame)
    shown, corner = (frame.T, "scene") if turned else (frame, "model")
    return table(shown, title, baselines=view.grey, corner=corner)
