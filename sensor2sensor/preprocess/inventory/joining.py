"""Which products of an inventory belong together: frames of one pass, parts of one tile. Pure.

A tile across the seam of two consecutive OLCI frames is paired with both at once, and a tile that
was received in two parts is one scene. An inventory that lists them apart (of an earlier version,
or when one of them was not there yet) goes on listing them apart: its rows have been reviewed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter

from sensor2sensor.preprocess.inventory.sightings import Sighting

# A row takes 44 ms: a frame whose first row is nearest to the tile's middle begins after it.
_FIRST_ROW = timedelta(seconds=0.03)
Paths = frozenset[str]


def runs_of(passes: Sequence[Sighting]) -> dict[str, tuple[Sighting, ...]]:
    """Frames over the tile that follow each other, in the order of time, by the path of each.

    Joined is only what was processed alike: another collection has other flags.
    """
    over = [one for one in passes if one.sees_tile]
    over.sort(key=lambda one: (one.acquisition.platform, one.acquisition.scope, one.start))
    runs: list[list[Sighting]] = [[one] for one in over[:1]]
    for one, other in pairwise(over):
        if _goes_on(one, other):
            runs[-1].append(other)
        else:
            runs.append([other])
    return {one.path: tuple(run) for run in runs if len(run) > 1 for one in run}


def _goes_on(one: Sighting, other: Sighting) -> bool:
    if not one.acquisition.goes_on_in(other.acquisition):
        return False
    # No image has rows of two widths.
    if one.columns != other.columns:
        return False
    orbits = {one.facts.get("relative_orbit"), other.facts.get("relative_orbit")} - {None}
    return len(orbits) < 2 and one.facts.get("collection") == other.facts.get("collection")


def partners_of(
    scene: Sighting,
    near: Sequence[Sighting],
    runs: Mapping[str, tuple[Sighting, ...]],
    listed: Collection[Paths],
) -> list[Sighting]:
    """The passes near a scene, frames of one that both show it as one.

    Args:
        scene: Of Sentinel-2.
        near: Sentinel-3 products within the window of time.
        runs: As `runs_of`.
        listed: The products of each row that the scene has already.
    """
    shares: dict[str, float] = {}

    def share(frame: Sighting) -> float:
        if frame.path not in shares:
            shares[frame.path] = _share(scene, frame)
        return shares[frame.path]

    found: dict[Paths, Sighting] = {}
    for one in near:
        frames = [frame for frame in runs.get(one.path, ()) if share(frame) > 0.0]
        paths = frozenset(frame.path for frame in frames)
        if len(frames) > 1 and one.path in paths and not _apart(paths, listed):
            one = _named_by(max(frames, key=share), frames)
        found.setdefault(one.paths, one)
    return list(found.values())


def _share(scene: Sighting, frame: Sighting) -> float:
    from sensor2sensor.geo.footprints import overlap_fraction

    return overlap_fraction(scene.footprint, frame.footprint)


def _named_by(most: Sighting, frames: Sequence[Sighting]) -> Sighting:
    others = tuple(one.path for one in frames if one is not most)
    return replace(most, joined=others, over_tile=time_over(frames))


def time_over(frames: Sequence[Sighting]) -> datetime:
    """When frames, in the order of time, saw the tile's middle."""
    # Of each the row nearest to it is known: the last frame that does not begin after it has it.
    begun = [one.time for one in frames if one.time - one.start > _FIRST_ROW]
    return begun[-1] if begun else frames[0].time


def scenes_of(
    chosen: Sequence[Sighting], listed: Collection[Paths]
) -> tuple[list[Sighting], list[Sequence[Sighting]]]:
    """The scenes, parts of one tile and datatake as one; and the parts that stay scenes each.

    Args:
        chosen: One product for each part of each acquisition.
        listed: The products of each scene that is listed already.
    """
    groups: dict[tuple[str, str, datetime], list[Sighting]] = {}
    for one in chosen:
        what = one.acquisition
        groups.setdefault((what.platform, what.scope, what.start), []).append(one)
    scenes: list[Sighting] = []
    apart: list[Sequence[Sighting]] = []
    for parts in groups.values():
        if len(parts) > 1 and _apart(frozenset(one.path for one in parts), listed):
            apart.append(parts)
            scenes += parts
        else:
            scenes.append(joined_parts(parts))
    return sorted(scenes, key=lambda one: (one.start, one.path)), apart


def joined_parts(parts: Sequence[Sighting]) -> Sighting:
    """Parts of one tile as one sighting, named by the one that shows most."""
    from sensor2sensor.products.s2_parts import area_m2, footprint_of, mean_cloud

    if len(parts) == 1:
        return parts[0]
    epsg = parts[0].epsg
    assert epsg is not None, "of Sentinel-2"
    ordered = sorted(parts, key=lambda one: (-area_m2(one.footprint, epsg), one.path))
    cloud = mean_cloud([(one.facts["cloud_fraction"], one.footprint) for one in ordered], epsg)
    return replace(
        ordered[0],
        joined=tuple(one.path for one in ordered[1:]),
        footprint=footprint_of([one.footprint for one in ordered]),
        facts={**ordered[0].facts, "cloud_fraction": cloud},
    )


def whole_footprint(sightings: Sequence[Sighting]) -> object:
    """The ground of products that belong together."""
    from sensor2sensor.geo.footprints import bridged
    from sensor2sensor.products.s2_parts import footprint_of
    from sensor2sensor.products.s3_pass import SEAM_M

    footprints = [one.footprint for one in sightings]
    if len(footprints) == 1:
        return footprints[0]
    ordered = sorted(sightings, key=attrgetter("start"))
    if ordered[0].epsg is None:
        return bridged([one.footprint for one in ordered], SEAM_M)
    return footprint_of(footprints)


def _apart(paths: Paths, listed: Collection[Paths]) -> bool:
    """Whether one of these products is listed by itself, and they are not listed together."""
    return paths not in listed and any(frozenset([path]) in listed for path in paths)
