"""The contact sheet of step 30: one HTML page to look at scenes and save the good ones.

The page needs no server and nothing from the network: the pictures lie beside it, and a click on
"Save selection" makes the browser download the selection JSON that step 40 takes.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from sensor2sensor.core.page.pieces import put_in, read
from sensor2sensor.core.times import format_utc, parse_utc
from sensor2sensor.preprocess.inventory.rows import InventoryRow
from sensor2sensor.preprocess.inventory.table import GONE, Inventory
from sensor2sensor.preprocess.quicklooks.overview import overview

# What tables of earlier versions do not say stands in the product's name.
_NAME = re.compile(r"(?P<platform>S2[A-Z])_.*_N(?P<baseline>\d{4})_")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Partner:
    """A Sentinel-3 product near a scene.

    Attributes:
        name: Of the product.
        time_gap_h: Sentinel-3's time minus Sentinel-2's; None where not known.
        overlap: Share of the scene's footprint it covers; None where not known.
        lost: Why it cannot be used (any more); empty where it can.
        frames: How many frames of its pass the scene has in rows of their own, this one included.
        joined: How many frames are joined in it.
    """

    name: str
    time_gap_h: float | None
    overlap: float | None
    lost: str = ""
    frames: int = 1
    joined: int = 1


@dataclass(frozen=True)
class Card:
    """A scene on the sheet.

    `picture` is the file name of its PNG beside the page, `outline_m` rings of its footprint in
    metres of its grid, where they are known.
    """

    scene: int
    product: str
    picture: str
    sensing: datetime
    cloud_fraction: float | None
    partners: Sequence[Partner] = ()
    platform: str | None = None
    baseline: str | None = None
    outline_m: Sequence[Sequence[Sequence[float]]] = ()


def contact_sheet(inventory: str, cards: Sequence[Card], *, sentinel2_only: bool) -> str:
    """The page as text; everything that comes from products is escaped."""
    body = "\n".join(_article(card, sentinel2_only) for card in cards)
    values = {
        "inventory": html.escape(inventory),
        "lead": html.escape(_lead(len(cards))),
        "pair_tools": "" if sentinel2_only else _pair_tools(cards),
        "pair_sorts": "" if sentinel2_only else _PAIR_SORTS,
        "style": read("page.css") + read("contact_sheet.css", HERE),
        "overview": overview(cards, sentinel2_only=sentinel2_only),
        "cards": body or '<p class="empty">No scene of this inventory has a picture.</p>',
    }
    return put_in(values, read("contact_sheet.html", HERE))


def card_of(
    scene: int, rows: Sequence[InventoryRow], facts: Mapping[str, Any], inventory: Inventory
) -> Card:
    """A scene's card, from its rows of the inventory and the facts of its picture."""
    named = _NAME.match(facts["product"])
    return Card(
        scene=scene,
        product=facts["product"],
        picture=f"{scene}.png",
        sensing=parse_utc(facts["sensing_start"]),
        cloud_fraction=facts["cloud_fraction"],
        partners=[_partner_of(row, rows, inventory) for row in rows if row.s3],
        platform=rows[0].platform or (named and named["platform"]),
        outline_m=facts.get("outline_m", ()),  # pictures of earlier versions have none
        baseline=rows[0].baseline or (named and f"{named['baseline'][:2]}.{named['baseline'][2:]}"),
    )


def _partner_of(row: InventoryRow, rows: Sequence[InventoryRow], inventory: Inventory) -> Partner:
    known = ((path, inventory.products.get(path)) for path in row.s3_paths)
    names = [str(facts["name"]) if facts else PurePosixPath(path).name for path, facts in known]
    why = inventory.lost(row)
    lost = "not in the archive any more" if why == GONE else "cannot be used, see step 20"
    there = [one for one in rows if not inventory.lost(one)]
    frames = 1 + len(inventory.frames_beside(row, there))
    gap_h, lost = _signed_gap_h(row), lost if why else ""
    return Partner(" + ".join(names), gap_h, row.overlap, lost, frames, len(names))


def _signed_gap_h(row: InventoryRow) -> float | None:
    """Sentinel-3's time minus Sentinel-2's; tables of earlier versions give the starts alone."""
    known = row.time_gap_h
    if known is not None or row.s3date is None:
        return known
    return (row.s3date - row.s2date).total_seconds() / 3600.0


def _lead(count: int) -> str:
    return "One scene to review." if count == 1 else f"{count} scenes to review."


def _article(card: Card, sentinel2_only: bool) -> str:
    day = f"{card.sensing:%Y-%m-%d %H:%M}"
    cloud = "" if card.cloud_fraction is None else f"{100 * card.cloud_fraction:.1f}"
    shown = f"{cloud} % cloud" if cloud else "cloud unknown"
    time = format_utc(card.sensing)
    source = quote(card.picture)
    partners = sorted(card.partners, key=_by_gap)
    pairs = "" if sentinel2_only else _partners(partners)
    # For the sliders of the page: gap in hours, overlap, and whether it is lost.
    # Numbers, true, false and null alone: nothing ends the attribute's quotes.
    numbers = json.dumps([[p.time_gap_h, p.overlap, bool(p.lost)] for p in partners])
    made = f"{card.platform or 'platform unknown'}, {_baseline(card.baseline)}"
    name = html.escape(card.product)
    return f"""<article data-id="{card.scene}" data-product="{name}" data-cloud="{cloud}"
  data-time="{time}" data-partners="{numbers}">
  <button type="button" class="card" aria-pressed="false">
  <span class="picture"><img src="{source}" alt="Scene {card.scene} of {day} UTC" loading="lazy">
  <span class="mark" aria-hidden="true"></span></span>
  <span class="facts"><span class="id">{card.scene}</span> <time datetime="{time}">{day}</time>
  <span class="cloud">{shown}</span></span>
  <span class="made">{html.escape(made)}</span>
  <span class="name">{name}</span></button>{pairs}</article>"""


def _by_gap(partner: Partner) -> float:
    return math.inf if partner.time_gap_h is None else abs(partner.time_gap_h)


def _baseline(text: str | None) -> str:
    return f"baseline {text}" if text else "baseline unknown"


def _partners(partners: Sequence[Partner]) -> str:
    if not partners:
        return '\n  <p class="alone">No Sentinel-3 product.</p>'
    items = "".join(
        f"<li{' class=lost' if partner.lost else ''}>{_partner(partner)}</li>"
        for partner in partners
    )
    return f'\n  <ul class="pairs">{items}</ul>'


def _partner(partner: Partner) -> str:
    share = (
        "overlap unknown" if partner.overlap is None else f"{100 * partner.overlap:.0f} % overlap"
    )
    notes = [partner.lost] if partner.lost else []
    if partner.frames > 1 and not partner.lost:
        notes.append(f"one of {partner.frames} frames of one pass; step 40 takes tiles from one")
    if partner.joined > 1:
        notes.append(f"{partner.joined} frames of one pass, joined")
    said = "".join(f'<span class="note">{html.escape(note)}</span>' for note in notes)
    name = html.escape(partner.name)
    return (
        f'<span class="gap">{gap_text(partner.time_gap_h)}</span>'
        f' <span class="share">{share}</span>{said}<span class="s3">{name}</span>'
    )


def gap_text(time_gap_h: float | None) -> str:
    """``S3 40 min after S2``; from 100 minutes on in hours and minutes."""
    if time_gap_h is None:
        return "time gap unknown"
    minutes = round(abs(time_gap_h) * 60)
    if minutes == 0:
        return "S3 within a minute of S2"
    hours, rest = divmod(minutes, 60)
    long = f"{hours} h {rest:02d} min" if minutes >= 100 else f"{minutes} min"
    return f"S3 {long} {'after' if time_gap_h > 0 else 'before'} S2"


_PAIR_SORTS = """
      <option value="gap">time gap</option><option value="overlap">overlap</option>"""


def _pair_tools(cards: Sequence[Card]) -> str:
    """Sliders for the gap, up to the largest there is, and the overlap of a scene's partners."""
    there = [partner for card in cards for partner in card.partners if not partner.lost]
    gaps = [abs(p.time_gap_h) for p in there if p.time_gap_h is not None]
    most = max(1, math.ceil(max(gaps, default=0.0)))
    return f"""
    <label>Time gap at most <input id="gap" type="range" min="0" max="{most}" value="{most}"
      step="0.25"><output id="gap-value" for="gap">{most} h</output></label>
    <label>Overlap at least <input id="overlap" type="range" min="0" max="100" value="0" step="1">
      <output id="overlap-value" for="overlap">0 %</output></label>"""
