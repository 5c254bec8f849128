"""The contact sheet of step 30: one HTML page to look at scenes and save the good ones.

The page needs no server and nothing from the network: the pictures lie beside it, and a click on
"Save selection" makes the browser download the selection JSON that step 40 takes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sensor2sensor.core.times import format_utc

_TEMPLATE = Path(__file__).with_name("contact_sheet.html")


@dataclass(frozen=True)
class Partner:
    """A Sentinel-3 product near a scene; `overlap` is the share of the scene's footprint."""

    name: str
    time_gap_h: float
    overlap: float | None


@dataclass(frozen=True)
class Card:
    """A scene on the sheet; `picture` is the file name of its PNG beside the page."""

    scene: int
    product: str
    picture: str
    sensing: datetime
    cloud_fraction: float | None
    partners: Sequence[Partner] = ()


def contact_sheet(inventory: str, cards: Sequence[Card], *, sentinel2_only: bool) -> str:
    """The page as text; everything that comes from products is escaped."""
    body = "\n".join(_article(card, sentinel2_only) for card in cards)
    values = {
        "inventory": html.escape(inventory),
        "lead": html.escape(_lead(len(cards))),
        "cards": body or '<p class="empty">No scene of this inventory has a picture.</p>',
    }
    return _fill(_TEMPLATE.read_text(encoding="utf-8"), values)


def _fill(template: str, values: Mapping[str, str]) -> str:
    # One pass, so that a value that looks like a placeholder stays what it is.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found.group(1)], template)


def _lead(count: int) -> str:
    return "One scene to review." if count == 1 else f"{count} scenes to review."


def _article(card: Card, sentinel2_only: bool) -> str:
    day = f"{card.sensing:%Y-%m-%d %H:%M}"
    cloud = "" if card.cloud_fraction is None else f"{100 * card.cloud_fraction:.1f}"
    shown = f"{cloud} % cloud" if cloud else "cloud unknown"
    time = format_utc(card.sensing)
    source = quote(card.picture)
    details = "" if sentinel2_only else _partners(card.partners)
    name = html.escape(card.product)
    return f"""<article data-id="{card.scene}" data-product="{name}" data-cloud="{cloud}"
  data-time="{time}"><button type="button" class="card" aria-pressed="false">
  <span class="picture"><img src="{source}" alt="Scene {card.scene} of {day} UTC" loading="lazy">
  <span class="mark" aria-hidden="true"></span></span>
  <span class="facts"><span class="id">{card.scene}</span> <time datetime="{time}">{day}</time>
  <span class="cloud">{shown}</span></span>
  <span class="name">{name}</span></button>{details}</article>"""


def _partners(partners: Sequence[Partner]) -> str:
    count = len(partners)
    heading = f"{count} Sentinel-3 {'product' if count == 1 else 'products'}"
    items = "".join(f"<li>{_partner(partner)}</li>" for partner in partners)
    return f"\n  <details><summary>{heading}</summary><ul>{items}</ul></details>"


def _partner(partner: Partner) -> str:
    share = (
        "overlap unknown" if partner.overlap is None else f"{100 * partner.overlap:.0f} % overlap"
    )
    return f"{partner.time_gap_h:.2f} h apart, {share}<span>{html.escape(partner.name)}</span>"
