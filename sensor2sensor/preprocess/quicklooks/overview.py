"""What the scenes of a contact sheet are together: counts, clouds, gaps, overlaps, ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sensor2sensor.core.page.bins import bar_panel
from sensor2sensor.core.page.maps import Layer, map_panel
from sensor2sensor.core.page.section import folded
from sensor2sensor.core.page.svg import panels
from sensor2sensor.preprocess.quality.parts import Counted, facts, histograms, months, plural

if TYPE_CHECKING:
    from sensor2sensor.preprocess.quicklooks.contact_sheet import Card, Partner

NEAR_H = 3.0  # counted apart: what moves 3 cm a second stays within an OLCI pixel so long


def overview(cards: Sequence[Card], *, sentinel2_only: bool) -> str:
    """What opens by a click above the scenes; empty of one scene, which says all itself."""
    if len(cards) < 2:
        return ""
    days = sorted(f"{card.sensing:%Y-%m-%d}" for card in cards)
    clouds = [100 * card.cloud_fraction for card in cards if card.cloud_fraction is not None]
    paired = () if sentinel2_only else cards
    there = [p for card in paired for p in card.partners if not p.lost]
    gaps = [p.time_gap_h for p in there if p.time_gap_h is not None]
    overlaps = [100 * p.overlap for p in there if p.overlap is not None]
    told = [(str(len(cards)), "scenes"), (f"{days[0]} to {days[-1]}", "sensed")]
    if clouds:
        told.append((f"{float(np.median(clouds)):.0f} %", "median cloud"))
    if not sentinel2_only:
        near = sum(any(_near(p) for p in card.partners) for card in cards)
        told += [(str(len(there)), "pairs"), (str(near), f"scenes with one within {NEAR_H:g} h")]
    drawn = histograms(
        [
            Counted("Cloud of the scenes", "%", clouds, of="scenes"),
            Counted("Time from Sentinel-2 to Sentinel-3", "h", gaps, of="pairs"),
            Counted("Overlap of the pairs", "%", overlaps, of="pairs"),
        ],
        "The line is the median; bars say their counts when pointed at.",
    )
    rings = [np.array(ring, np.float64) for card in cards for ring in card.outline_m]
    ground = map_panel("Ground the scenes show", "ground", [Layer("seen", "footprint", rings)])
    when = bar_panel("Scenes by month", months(days), of="scenes")
    title = f"Overview of {plural(len(cards), 'scene')}"
    inner = facts(told) + drawn + panels([one for one in (when, ground) if one])
    return f'<section class="overview">{folded(title, inner)}</section>'


def _near(partner: Partner) -> bool:
    gap = partner.time_gap_h
    return not partner.lost and gap is not None and abs(gap) <= NEAR_H
