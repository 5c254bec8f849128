"""The fixed tiles of a group: a tile in each row, models as columns beside truth and baseline."""

from __future__ import annotations

from collections.abc import Mapping

from sensor2sensor.config.evaluations import MODEL
from sensor2sensor.core.page.section import note
from sensor2sensor.core.page.svg import shortened, text, told_apart
from sensor2sensor.report.file import Picture
from sensor2sensor.report.load import Group, Result
from sensor2sensor.report.page.pictures import Album
from sensor2sensor.report.page.tiles import tick

INPUT, TRUTH = "input", "truth"
ABOUT = (
    "The same tiles for every run and seed, drawn by a hash and spread over the scenes, so nobody "
    "chose them. Colours show each band's fixed value range; a click enlarges."
)
Shown = tuple[Result, Picture]


def wall(group: Group, album: Album, place: str) -> str:
    """Input, truth, baselines and every run's prediction of each fixed tile."""
    columns, tiles = _columns(group)
    if not tiles:
        return ""
    own = [name for name in columns if name.startswith(MODEL)]
    short = dict(zip(own, told_apart([name.removeprefix(MODEL) for name in own]), strict=True))
    heads = "".join(
        f'<th scope="col" title="{text(name.removeprefix(MODEL))}">'
        f"{text(short.get(name, shortened(name)))}</th>"
        for name in columns
    )
    rows = "".join(
        f'<tr><th scope="row">{tick(tile, place)}</th>{_row(columns, tile, album)}</tr>'
        for tile in tiles
    )
    table = (
        '<div class="scroll wall" role="region" tabindex="0" aria-label="Fixed tiles"><table>'
        f'<thead><tr><th scope="col">tile</th>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        "</div>"
    )
    return table + note(ABOUT)


def _columns(group: Group) -> tuple[dict[str, dict[str, Shown]], list[str]]:
    """Pictures by column and tile, and the tiles in their order.

    What does not depend on the run (input, truth, a baseline) is shown once. Columns of runs begin
    with ``model``, so that none can be taken for a baseline of its name.
    """
    columns: dict[str, dict[str, Shown]] = {INPUT: {}, TRUTH: {}}
    runs: dict[str, dict[str, Shown]] = {}
    tiles: dict[str, None] = {}
    for result in group.results:
        for entry in result.facts.fixed:
            tiles.setdefault(entry.tile)
            panel = entry.panel or INPUT
            if panel == MODEL:
                runs.setdefault(MODEL + group.label(result), {})[entry.tile] = (result, entry)
            else:
                columns.setdefault(panel, {}).setdefault(entry.tile, (result, entry))
    return columns | runs, list(tiles)


def _row(columns: Mapping[str, Mapping[str, Shown]], tile: str, album: Album) -> str:
    cells = []
    for name, shown in columns.items():
        if tile in shown:
            result, entry = shown[tile]
            alt = f"{name.removeprefix(MODEL)}: {entry.tile}"
            cells.append(f"<td>{album.image(result, entry, alt)}</td>")
        else:
            cells.append("<td>–</td>")
    return "".join(cells)
