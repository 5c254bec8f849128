"""The sections of the quality page of tiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensor2sensor.core.page.bins import bar_panel
from sensor2sensor.core.page.section import Section, folded, note
from sensor2sensor.core.page.svg import number, panels
from sensor2sensor.core.page.tables import listed
from sensor2sensor.core.page.whole import whole
from sensor2sensor.core.times import format_utc
from sensor2sensor.preprocess.quality import parts
from sensor2sensor.preprocess.quality.measured import LEAST_PIXELS
from sensor2sensor.preprocess.quality.parts import PIXEL_M, Counted, plural, share
from sensor2sensor.preprocess.quality.thumbnails import gallery, shown
from sensor2sensor.preprocess.quality.tile_map import where
from sensor2sensor.preprocess.shift_limit import SHIFT_QUALITY
from sensor2sensor.preprocess.tiles.table import TileRow

if TYPE_CHECKING:
    from sensor2sensor.preprocess.quality.tiles import Folder

MOST_SCENES = 200  # lines of a table
WITHIN = 2  # place of the deviation within a tile in the row of a band
REASONS = {
    "cloud": "cloud",
    "nodata": "no Sentinel-2 data",
    "saturated": "saturated",
    "no OLCI": "no valid OLCI pixel",
    "invalid": "too few usable pixels",
    "shift": "sensors shifted too far",
    "unknown shift": "shift not known",
}


def page_of(folder: Folder) -> str:
    """The whole page as HTML; equal tiles give equal bytes."""
    inventory, tile_px = folder.manifest["inventory"], folder.manifest["options"]["tile_px"]
    sections = [
        Section("where", "Where and when", where(folder)),
        Section("fit", "How well the sensors fit", _fit(folder)),
        Section("rejected", "Places that gave no tile", _rejected(folder)),
        Section("bands", "Bands", _bands(folder)),
        Section("outliers", "Tiles unlike the others", _odd(folder), short="Outliers"),
        Section("scenes", "Scenes", _scenes(folder)),
        Section("made", "How this was made", _made(folder)),
    ]
    lead = parts.facts(_facts(folder)) + parts.worth_a_look(_lines(folder))
    return whole("Quality of tiles", f"{inventory}, tiles of {tile_px} pixels", lead, sections)


def _facts(folder: Folder) -> list[tuple[str, str]]:
    rows = folder.rows
    scenes = len({row.scene for row in rows})
    days = len({row.s2date[:10] for row in rows})
    found = [_counted(len(rows), "tile"), _counted(scenes, "scene")]
    if rows:
        resolution = rows[0].resolution_m
        found.append((f"{resolution:g} m", "target pixels"))
        found.append(_counted(days, "day"))
    gaps = [abs(row.time_gap_h) for row in rows if row.time_gap_h is not None]
    if gaps:
        found.append((f"{float(np.median(gaps)):.1f} h", "median time gap"))
    if shifts := _known_shifts(rows):
        found.append((f"{float(np.median(shifts)):.0f} m", "median shift"))
    tried = len(rows) + sum(_all_rejected(folder).values())
    if tried > len(rows):
        found.append((share(len(rows), tried), "of the places tried"))
    return found


def _counted(count: int, what: str) -> tuple[str, str]:
    number, _, name = plural(count, what).partition(" ")
    return number, name


def _lines(folder: Folder) -> list[str]:
    """What a reader should know before using the tiles."""
    from sensor2sensor.preprocess.tiles.notes import too_small

    rows, manifest, found = folder.rows, folder.manifest, []
    with_tiles = Counter(row.scene for row in rows)
    if bare := [scene for scene in manifest["selected"] if scene not in with_tiles]:
        failed = manifest.get("failed", {})
        why = next((f" The first: {failed[str(s)]}." for s in bare if str(s) in failed), "")
        found.append(f"{plural(len(bare), 'selected scene')} gave no tile: {_ids(bare)}.{why}")
    wanted = manifest["options"]["quantity"]
    if few := [scene for scene, count in sorted(with_tiles.items()) if count < wanted]:
        told = f"{plural(len(few), 'scene')} gave fewer than the {wanted} tiles asked for"
        found.append(f"{told}: {_ids(few)}.")
    found += _of_reasons(folder) + _of_shifts(rows)
    if unknown := sum(row.cloud_fraction is None for row in rows):
        found.append(f"{plural(unknown, 'tile')}: nothing tells of clouds, so any may be cloudy.")
    if moved := sum(row.aligned_pixels is not None for row in rows):
        found.append(
            f"{plural(moved, 'tile')} of {len(rows)} with OLCI pixels aligned with the target "
            "(--correct-shift): for training; scores are of inputs as they come."
        )
    if small := too_small(manifest):
        found.append(f"--correct-shift: {small}.")
    if folder.odd:
        odd = plural(len(folder.odd), "tile")
        found.append(f"{odd} of {len(rows)} unlike the others in a band; the oddest are shown.")
    if folder.unreadable:
        found.append(
            f"{plural(len(folder.unreadable), 'tile')} could not be read: {folder.unreadable[0]}"
        )
    return found


def _of_reasons(folder: Folder) -> list[str]:
    rejected, tiles = _all_rejected(folder), len(folder.rows)
    total = sum(rejected.values())
    if not total or total < tiles:
        return []
    reason, count = rejected.most_common(1)[0]
    return [
        f"{share(tiles, tiles + total)} of {tiles + total} places became tiles; most of the others "
        f"({share(count, total)}) fell to: {REASONS.get(reason, reason)}."
    ]


def _of_shifts(rows: Sequence[TileRow]) -> list[str]:
    paired = [row for row in rows if row.s3]
    if not paired:
        return []
    known, found = _known_shifts(paired), []
    if far := sum(shift > PIXEL_M for shift in known):
        found.append(
            f"{plural(far, 'tile')} of {len(known)} with a measured shift moved by more than an"
            f" OLCI pixel ({PIXEL_M:g} m) between the looks; step 50 leaves such out with"
            " --max-shift."
        )
    if unknown := len(paired) - len(known):
        found.append(
            f"The shift between the sensors is not known of {plural(unknown, 'tile')} of "
            f"{len(paired)} (too little structure, or a quality below {SHIFT_QUALITY:g})."
        )
    return found


def _known_shifts(rows: Sequence[TileRow]) -> list[float]:
    return [
        row.shift_m
        for row in rows
        if row.shift_m is not None and (row.shift_quality or 0.0) >= SHIFT_QUALITY
    ]


def _all_rejected(folder: Folder) -> Counter[str]:
    from sensor2sensor.preprocess.quality.tiles import rejected

    return rejected(folder.manifest)


def _ids(scenes: Sequence[int]) -> str:
    more = f" and {len(scenes) - 8} more" if len(scenes) > 8 else ""
    return ", ".join(f"{scene:05d}" for scene in scenes[:8]) + more


def _fit(folder: Folder) -> str:
    rows = folder.rows
    gaps = [row.time_gap_h for row in rows if row.time_gap_h is not None]
    known = _known_shifts(rows)
    quality, least = _of(rows, "shift_quality"), {"least for a known shift": SHIFT_QUALITY}
    overlaps = [100 * one for one in folder.overlaps]
    told = "The line is the median; bars say their counts when pointed at."
    if known:
        told += f" Shifts of a quality below {SHIFT_QUALITY:g} count as unknown and are not drawn."
    return parts.histograms(
        [
            Counted("Time from Sentinel-2 to Sentinel-3", "h", gaps),
            Counted("Overlap of the pairs", "%", overlaps, of="pairs"),
            Counted("Shift between the looks", "m", known, marks={"an OLCI pixel": PIXEL_M}),
            Counted("Quality of the shift", "peak, 0 to 1", quality, marks=least),
            Counted("Cloud", "% of a tile", _percent(rows, "cloud_fraction")),
            Counted("Usable in every band", "% of a tile", _percent(rows, "valid_fraction")),
            Counted("Valid OLCI pixels", "% of a tile", _percent(rows, "olci_valid_fraction")),
        ],
        told,
    )


def _of(rows: Sequence[TileRow], name: str) -> list[float]:
    return [value for row in rows if (value := getattr(row, name)) is not None]


def _percent(rows: Sequence[TileRow], name: str) -> list[float]:
    return [100 * value for value in _of(rows, name)]


def _rejected(folder: Folder) -> str:
    counts = _all_rejected(folder)
    if not counts:
        return ""
    named = {REASONS.get(reason, reason): count for reason, count in counts.most_common()}
    told = (
        "Each place that was drawn is counted under the first reason that rules it out; what costs "
        "least is looked at first."
    )
    return panels([bar_panel("", named, of="places")]) + note(told)


def _bands(folder: Folder) -> str:
    measured = folder.measured
    if not len(measured.tiles):
        return ""
    drawn, rows = [], []
    for bands, title in ((folder.targets, "Sentinel-2"), (folder.inputs, "OLCI")):
        if not bands:
            continue
        places = [measured.bands.index(band["name"]) for band in bands]
        unit = bands[0]["unit"]
        means = {
            b["name"]: measured.part("mean")[:, at] for b, at in zip(bands, places, strict=True)
        }
        drawn.append(parts.band_boxes(f"{title}: means of the tiles", unit, means))
        rows += [_band(folder, band, at) for band, at in zip(bands, places, strict=True)]
    heads = [
        "band",
        "mean of\nthe means",
        "deviation\nwithin a tile",
        "deviation\nbetween tiles",
        "least",
        "most",
        "unit",
    ]
    caption = "Tiles count alike, whatever they show; least and most of all pixels"
    few = any("\n" in row[WITHIN] for row in rows)
    told = (
        f"A deviation within a tile is known of tiles with {LEAST_PIXELS} pixels of the band or "
        "more: of fewer it is chance. Where not all tiles have so many, it is of those that are "
        "counted beneath it, and none where no tile has."
    )
    return panels(drawn) + listed(heads, rows, caption, note=told if few else "")


def _band(folder: Folder, band: Any, at: int) -> list[str]:
    mean, std, least, most = (folder.measured.part(p)[:, at] for p in ("mean", "std", "min", "max"))
    known, tiles = std[np.isfinite(std)], int(np.isfinite(mean).sum())
    within = float(np.sqrt(np.mean(known**2))) if known.size else None
    values = (np.nanmean(mean), within, np.nanstd(mean), np.nanmin(least), np.nanmax(most))
    told = [None if value is None else float(value) for value in values]
    cells = parts.band_row(band["name"], band["wavelength_nm"], told)
    if known.size < tiles:
        cells[WITHIN] += f"\n{known.size} of {tiles} tiles"
    return [*cells, band["unit"]]


def _odd(folder: Folder) -> str:
    if not len(folder.measured.tiles):
        return ""
    names = [band["name"] for band in folder.targets]
    waves = [band["wavelength_nm"] for band in folder.targets]
    how = shown(folder.measured, names, waves, folder.colours)
    rows = [[one.tile, f"{one.score:+.1f}", one.reason] for one in folder.odd[:MOST_SCENES]]
    table = listed(["tile", "z", "because"], rows, "Tiles beyond the limit, the oddest first")
    return gallery(folder.measured, folder.odd, how) + folded("All of them as a table", table)


def _scenes(folder: Folder) -> str:
    tiles = Counter(row.scene for row in folder.rows)
    first = {row.scene: row for row in reversed(folder.rows)}
    failed, rows = folder.manifest.get("failed", {}), []
    for scene in folder.manifest["selected"][:MOST_SCENES]:
        known, row = folder.manifest.get("scenes", {}).get(str(scene), {}), first.get(scene)
        listed_as = folder.listed.get(scene)
        name = known.get("s2") or (Path(listed_as.s2).name if listed_as else "not cut")
        day = row.s2date if row else format_utc(listed_as.s2date) if listed_as else "–"
        lost = Counter(known.get("rejected", {})).most_common(2)
        reasons = ", ".join(f"{REASONS.get(name, name)} {count}" for name, count in lost)
        # With places there is no need of the whole sentence that the step said.
        reasons = reasons or failed.get(str(scene), "–")
        gap = "–" if row is None or row.time_gap_h is None else f"{row.time_gap_h:+.1f}"
        rows.append([
            f"{scene:05d}\n{name}",
            day[:10],
            str(tiles[scene]),
            gap.replace("-", "−"),
            f"{known.get('baseline', '–')}",
            reasons,
        ])  # fmt: skip
    heads = [
        "scene",
        "day",
        "tiles",
        "time gap\nh",
        "baseline",
        "places rejected most,\nor what failed",
    ]
    more = len(folder.manifest["selected"]) - MOST_SCENES
    told = f"The first {MOST_SCENES}; {more} more are in manifest.json." if more > 0 else ""
    return listed(heads, rows, "Selected scenes", note=told)


def _made(folder: Folder) -> str:
    manifest = folder.manifest
    options = manifest["options"]
    rows = [["inventory", manifest["inventory"]], ["selections", ", ".join(manifest["selections"])]]
    rows += [[name, _told(value)] for name, value in options.items() if name != "version"]
    rows.append(["version of the tiles", str(options["version"])])
    formulas = [[name, value] for name, value in manifest["formulas"].items()]
    return listed(["option", "value"], rows, "Options of step 40") + folded(
        "Formulas", listed(["what", "how"], formulas, "How values came about")
    )


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "–" if value is None else number(value) if isinstance(value, float) else str(value)
