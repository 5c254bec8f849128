"""Which site is for what, and that no two splits show the same ground.

A site goes to one split whole. Sites of several names may still overlap: neighbouring ones are
seen from one orbit. Those for validation are drawn with their neighbours; test sites that share
ground with others are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from sensor2sensor.core.errors import InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.seeds import keyed_hash
from sensor2sensor.dataset.blocks import tile_ring
from sensor2sensor.dataset.splits import TilePlace, ground_shared
from sensor2sensor.sources.sen2venus.options import VenusOptions

Places = Mapping[str, Sequence[TilePlace]]


def overlaps(places: Places) -> list[tuple[str, str]]:
    """Pairs of sites whose patches share ground, by their squares and across UTM zones.

    Args:
        places: Where the patches of each site lie; empty where nobody knows.
    """
    squares = {site: _distinct(found) for site, found in places.items() if found}
    bounds = {site: _bounds(found) for site, found in squares.items()}
    pairs = combinations(sorted(squares), 2)
    near = [(a, b) for a, b in pairs if _meet(bounds[a], bounds[b])]
    return [(a, b) for a, b in near if _share(squares[a], squares[b]) > 0]


def _distinct(places: Sequence[TilePlace]) -> list[TilePlace]:
    # Many dates show one square: it is looked at once.
    return list({(p.epsg, p.ulx_m, p.uly_m): p for p in places}.values())


def _bounds(places: Sequence[TilePlace]) -> tuple[float, float, float, float]:
    found = []
    for epsg in {place.epsg for place in places}:
        own = [place for place in places if place.epsg == epsg]
        west, north = min(p.ulx_m for p in own), max(p.uly_m for p in own)
        east = max(p.ulx_m + p.size_m for p in own)
        south = min(p.uly_m - p.size_m for p in own)
        lon, lat = tile_ring(epsg, west, north, max(east - west, north - south))
        found.append((lon.min(), lat.min(), lon.max(), lat.max()))
    ends = np.array(found)
    (west, south), (east, north) = ends[:, :2].min(axis=0), ends[:, 2:].max(axis=0)
    return float(west), float(south), float(east), float(north)


def _meet(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _share(a: Sequence[TilePlace], b: Sequence[TilePlace]) -> float:
    named = {f"{side}{n}": p for side, own in (("a", a), ("b", b)) for n, p in enumerate(own)}
    splits = {name: "train" if name[0] == "a" else "test" for name in named}
    return ground_shared(named, splits)["test"]


def site_splits(
    sites: Sequence[str], pairs: Sequence[tuple[str, str]], options: VenusOptions
) -> dict[str, str]:
    """The split of each site.

    Args:
        sites: All that have a patch to take.
        pairs: Those that share ground.
        options: Of step 54.

    Raises:
        InputError: A site that is asked for is not there, two splits would share ground, or none is
            left to train on.
    """
    asked = (*options.test_sites, *options.val_sites)
    # All of them at once: a list of sites for testing is often longer than what was fetched.
    if lacking := [site for site in asked if site not in sites]:
        what = f"no site {', '.join(repr(site) for site in lacking)} with patches"
        raise InputError(what, hint=suggestion(lacking[0], sites))
    splits = dict.fromkeys(options.test_sites, "test") | dict.fromkeys(options.val_sites, "val")
    rest = [site for site in sites if site not in splits]
    if not options.val_sites:
        splits |= dict.fromkeys(_drawn(rest, pairs, options), "val")
    splits |= {site: "train" for site in rest if site not in splits}
    _refuse_shared(splits, pairs)
    if "train" not in splits.values():
        hint = "give it more sites, or fewer to --test-sites and --val-sites"
        raise InputError(f"no site is left to train on ({', '.join(sorted(sites))})", hint=hint)
    return splits


def _drawn(
    rest: Sequence[str], pairs: Sequence[tuple[str, str]], options: VenusOptions
) -> set[str]:
    """Sites for validation, each with all that it shares ground with, until the share is met."""
    # In the order of a hash: a site more or less moves one other at most.
    order = sorted(rest, key=lambda site: (keyed_hash(options.seed, "validation", site), site))
    wanted, found = max(1, round(options.val_share * len(rest))), set[str]()
    for site in order:
        # A whole neighbourhood of all sites would leave none to train on.
        own = _neighbourhood(site, pairs) & set(rest)
        if len(found) < wanted and len(found | own) < len(rest):
            found |= own
    if not found:
        left = f"of {', '.join(rest)}" if rest else "is left that"
        what = f"no site {left} can be drawn for validation"
        raise InputError(what, hint="name one with --val-sites, or fewer --test-sites")
    return found


def _neighbourhood(site: str, pairs: Sequence[tuple[str, str]]) -> set[str]:
    found, before = {site}, set[str]()
    while found != before:
        before = set(found)
        found |= {one for pair in pairs if found & set(pair) for one in pair}
    return found


def _refuse_shared(splits: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> None:
    shared = [p for p in pairs if {*p} <= splits.keys() and splits[p[0]] != splits[p[1]]]
    if shared:
        told = "; ".join(f"{a} ({splits[a]}) and {b} ({splits[b]})" for a, b in shared[:5])
        hint = "give neighbours to one split with --test-sites or --val-sites, or --exclude one"
        raise InputError(f"sites of two splits share ground: {told}", hint=hint)
