"""The sections of the quality page of a data set."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.page.bins import bar_panel
from sensor2sensor.core.page.maps import Layer, legend, map_panel
from sensor2sensor.core.page.section import Section, folded, note
from sensor2sensor.core.page.svg import number, panels, text
from sensor2sensor.core.page.tables import listed
from sensor2sensor.core.page.whole import whole
from sensor2sensor.dataset.bands import BandSpec, BandStatistics
from sensor2sensor.dataset.blocks import BlockGrid
from sensor2sensor.dataset.contract import SPLITS
from sensor2sensor.dataset.degenerate import notices
from sensor2sensor.dataset.ledger import DROPPED, REFUSED, SplitRow
from sensor2sensor.geo.projections import from_lonlat
from sensor2sensor.preprocess.quality import parts
from sensor2sensor.preprocess.quality.parts import PIXEL_M, Counted, plural, share
from sensor2sensor.preprocess.quality.thumbnails import gallery, shown

if TYPE_CHECKING:
    from sensor2sensor.preprocess.quality.dataset import Dataset

MOST_MAPS = 6
MOST_ROWS = 200
FEW_BLOCKS = 4  # below that an evaluation gives no interval
_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")
_DAY = re.compile(r"(\d{4})(\d{2})\d{2}T\d{6}")


def page_of(found: Dataset) -> str:
    """The whole page as HTML; equal data sets give equal bytes."""
    contract = found.contract
    sections = [
        Section("where", "Where and when", _where(found)),
        Section("fit", "How well the sensors fit", _fit(found)),
        Section("left", "Tiles left out", _left_out(found)),
        Section("bands", "Bands", _bands(found)),
        Section("outliers", "Tiles unlike the others", _odd(found), short="Outliers"),
        Section("made", "Where it comes from", _made(found)),
    ]
    lead = parts.facts(_facts(found)) + parts.worth_a_look(_lines(found))
    title = f"{contract.name}, tiles of {contract.tile_px} pixels"
    return whole("Quality of a data set", title, lead, sections)


def _facts(found: Dataset) -> list[tuple[str, str]]:
    contract = found.contract
    told = [(str(contract.splits[split].count), f"{split} tiles") for split in SPLITS]
    blocks = [contract.splits[split].blocks for split in SPLITS]
    word = "blocks of ground" if contract.split_policy.by == "block" else "groups"
    told.append((" / ".join(map(str, blocks)), f"{word}, train / val / test"))
    if days := {row.overpass for row in found.placed if row.overpass}:
        told.append((str(len(days)), "overpasses"))
    if contract.factor != 1:
        told.append((f"{contract.factor:g}", "times finer than the input"))
    return told


def _lines(found: Dataset) -> list[str]:
    contract, policy = found.contract, found.contract.split_policy
    told = []
    if policy.refused:
        first = next(row for row in found.rows if row.split == REFUSED)
        told.append(f"{plural(policy.refused, 'tile')} refused, first {first.name}: {first.reason}")
    if policy.dropped:
        lost, by_guard = share(policy.dropped, len(found.rows)), policy.dropped_by_guard
        guard = f", {by_guard} of them by the guard" if by_guard else ""
        total = f"{plural(policy.dropped, 'tile')} of {len(found.rows)} ({lost})"
        told.append(f"{total} left out of the splits{guard}.")
    for split, part in policy.ground_shared.items():
        if part > 0:
            told.append(f"train shows {part:.0%} of the ground of {split}: scores there flatter.")
    for split in ("val", "test"):
        blocks = contract.splits[split].blocks
        if policy.by == "block" and blocks < FEW_BLOCKS:
            told.append(
                f"{split} has {plural(blocks, 'block')} of ground: below {FEW_BLOCKS} no interval "
                "can be given."
            )
    told += notices(contract)
    if found.odd:
        odd, where = (
            plural(len(found.odd), "tile"),
            Counter(_split_of(found, one.tile) for one in found.odd),
        )
        named = ", ".join(f"{count} {split}" for split, count in where.most_common())
        told.append(f"{odd} unlike the others in a band ({named}); the oddest are shown.")
    if found.unreadable:
        lost = plural(len(found.unreadable), "tile")
        told.append(f"{lost} could not be read: {found.unreadable[0]}")
    return told


def _split_of(found: Dataset, name: str) -> str:
    return next(row.split for row in found.placed if row.name == name)


def _where(found: Dataset) -> str:
    known = [row for row in found.rows if row.epsg is not None and row.split != REFUSED]
    when = bar_panel("Tiles by month", parts.months(map(_month, found.placed)), of="tiles")
    size_m = found.contract.tile_px * (found.contract.resolution_m or 0.0)
    if not known or not size_m:
        return panels([when]) if when else ""
    corners = np.array([(row.ulx_m, row.uly_m) for row in known], np.float64)
    regions = parts.regions([row.epsg or 0 for row in known], corners)
    drawn, layers = [], []
    for place, members in enumerate(regions[:MOST_MAPS]):
        here = [known[member] for member in members]
        own = _layers(found, here, size_m)
        layers += own
        names = sorted({row.inventory for row in here})
        named = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
        title = f"{named}, EPSG:{here[0].epsg}"
        tiles = [layer for layer in own if len(layer.squares)]
        drawn.append(map_panel(title, f"map{place}", own, within=tiles))
    left = len(regions) - MOST_MAPS
    told = f"{plural(left, 'further region')} with fewer tiles not drawn." if left > 0 else ""
    return legend(layers) + f'<div class="maps">{"".join([*drawn, when])}</div>' + note(told)


def _month(row: SplitRow) -> str:
    day = _DAY.search(row.overpass) or _DAY.search(row.name)
    return f"{day[1]}-{day[2]}" if day else ""


def _layers(found: Dataset, rows: Sequence[SplitRow], size_m: float) -> list[Layer]:
    odd = {one.tile for one in found.odd}
    of = {split: [row for row in rows if row.split == split] for split in (*SPLITS, DROPPED)}
    blocks = [
        Layer(f"b-{split}", f"blocks of {split}", _blocks(found, of[split])) for split in SPLITS
    ]
    dropped = Layer("dropped", "left out", squares=_squares(of[DROPPED], size_m))
    tiles = [Layer(split, split, squares=_squares(of[split], size_m)) for split in SPLITS]
    strange = _squares([row for row in rows if row.name in odd], size_m)
    return [*blocks, dropped, *tiles, Layer("odd", "tile unlike the others", squares=strange)]


def _squares(rows: Sequence[SplitRow], size_m: float) -> Any:
    return np.array([(r.ulx_m, r.uly_m, size_m) for r in rows], np.float64).reshape(-1, 3)


def _blocks(found: Dataset, rows: Sequence[SplitRow]) -> list[Any]:
    """Outlines of the blocks of ground that tiles touch, in their projection."""
    policy = found.contract.split_policy
    if policy.by != "block" or not policy.block_m or not rows:
        return []
    grid, transformer = BlockGrid(policy.block_m), from_lonlat(rows[0].epsg or 4326)
    names = sorted({block for row in rows for block in row.block.split("+")})
    return [np.column_stack(transformer.transform(*grid.ring(name))) for name in names]


def _fit(found: Dataset) -> str:
    gaps = [row.time_gap_h for row in found.placed if row.time_gap_h is not None]
    shifts = [row.shift_m for row in found.placed if row.shift_m is not None]
    if not gaps and not shifts:
        return ""
    pixel = found.contract.input.pixel_m or PIXEL_M
    return parts.histograms(
        [
            Counted("Time from Sentinel-2 to Sentinel-3", "h", gaps),
            Counted("Shift between the looks", "m", shifts, marks={"an input pixel": pixel}),
        ],
        "The line is the median. Shifts of every quality; tiles.csv says how sure each is.",
    )


def _left_out(found: Dataset) -> str:
    counts = Counter(
        _NUMBER.sub("…", row.reason or "touches two splits")
        for row in found.rows
        if row.split in (DROPPED, REFUSED)
    )
    if not counts:
        return ""
    rows = [
        [row.name, row.split, row.reason or "touches two splits"]
        for row in found.rows
        if row.split in (DROPPED, REFUSED)
    ]
    more = f"The first {MOST_ROWS} of {len(rows)}; split.csv has all." if rows[MOST_ROWS:] else ""
    table = listed(["tile", "became", "because"], rows[:MOST_ROWS], "Tiles in no split", note=more)
    most = [[reason, str(count)] for reason, count in counts.most_common(20)]
    summary = listed(["because", "tiles"], most, "Why tiles are in no split")
    return summary + folded("Every one of them", table)


def _bands(found: Dataset) -> str:
    contract, measured = found.contract, found.measured
    drawn, tables = [], []
    sides = (
        ("target", contract.target.bands, 0),
        ("input", contract.input.bands, len(contract.target.bands)),
    )
    for side, bands, first in sides:
        if first + len(bands) <= len(measured.bands) and len(measured.tiles):
            means = measured.part("mean")[:, first : first + len(bands)]
            drawn += _boxes(f"{side.capitalize()}: means of the tiles", bands, means)
        rows = [
            _band(band, one, _stored(found, side))
            for band, one in zip(bands, contract.statistics[side], strict=True)
        ]
        heads = ["band", "mean", "deviation", "value range", "least", "most", "unit", "stored as"]
        tables.append(listed(heads, rows, f"{side.capitalize()} bands over the train split"))
    return panels([one for one in drawn if one]) + "".join(tables)


def _boxes(title: str, bands: Sequence[BandSpec], means: Any) -> list[str]:
    """A panel for each unit: decibels and reflectances have no axis in common."""
    units = dict.fromkeys(band.unit for band in bands)
    of = {unit: [at for at, band in enumerate(bands) if band.unit == unit] for unit in units}
    return [
        parts.band_boxes(title, unit, {bands[at].name: means[:, at] for at in places})
        for unit, places in of.items()
    ]


def _stored(found: Dataset, side: str) -> str:
    return found.contract.target.dtype if side == "target" else found.contract.input.dtype


def _band(band: BandSpec, one: BandStatistics, dtype: str) -> list[str]:
    label, mean, std, least, most = parts.band_row(
        band.name, band.wavelength_nm, (one.mean, one.std, one.minimum, one.maximum)
    )
    span = f"{number(one.low)} to {number(one.high)}"
    step = "" if dtype == "float32" else f"\nsteps of {band.scale:.2g}"
    step += f", error {band.error:.2g}" if band.error else ""
    return [label, mean, std, span, least, most, band.unit, f"{dtype}{step}"]


def _odd(found: Dataset) -> str:
    if not len(found.measured.tiles):
        return ""
    bands = found.contract.target.bands
    names, waves = [band.name for band in bands], [band.wavelength_nm for band in bands]
    how = shown(found.measured, names, waves, found.colours)
    rows = [
        [one.tile, _split_of(found, one.tile), f"{one.score:+.1f}", one.reason]
        for one in found.odd[:MOST_ROWS]
    ]
    table = listed(["tile", "split", "z", "because"], rows, "Tiles beyond the limit, oddest first")
    return gallery(found.measured, found.odd, how) + folded("All of them as a table", table)


def _made(found: Dataset) -> str:
    made = found.contract.provenance
    rows = [
        [
            str(one.get("name", "–")),
            str(one.get("tiles", "–")),
            _in_words(one.get("step40", {})),
            str(one.get("tiles_csv_sha256", "–")).removeprefix("sha256:")[:12],
        ]
        for one in made.get("inventories", [])
    ]
    sources = listed(
        ["inventory", "tiles", "made with", "tiles.csv\nSHA-256"], rows, "What it is made of"
    )
    policy = found.contract.split_policy.model_dump(mode="json")
    options = [[name, _told(value)] for name, value in made.get("options", {}).items()]
    options += [[f"split: {name}", _told(value)] for name, value in policy.items()]
    command = f"<p><code>{text(str(made['command']))}</code></p>" if "command" in made else ""
    return sources + command + folded("Options", listed(["option", "value"], options, "Options"))


def _in_words(options: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_told(value)}" for name, value in options.items()) or "–"


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
