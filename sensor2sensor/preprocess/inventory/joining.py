"""Which products of an inventory belong together: frames of one pass, parts of one tile. Pure.

A tile across the seam of two consecutive OLCI frames is paired with both at once, and a tile that
was received in two parts is one scene. An inventory that lists them apart, or some of them as one
(of an earlier version, or when one of them was not there yet), goes on listing them so: its rows
have been reviewed, and what comes later is listed beside them. Of Sentinel-2 the newest baseline
comes first: what others show already, listed ones or newer ones, is no scene and no part of one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
        group = next((group for group in _as_listed(frames, listed) if one in group), [one])
        if len(group) > 1:
            one = _named_by(max(group, key=share), group)
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


@dataclass(frozen=True)
class Scenes:
    """The scenes of an inventory.

    Attributes:
        every: By time, parts of one tile and datatake as one.
        apart: Those of one tile and datatake that are not joined, since they are listed so.
        shown: Products that are no part of a scene, each with those that show the same.
    """

    every: list[Sighting]
    apart: list[list[Sighting]]
    shown: list[tuple[Sighting, list[Sighting]]]


def scenes_of(chosen: Sequence[Sighting], listed: Collection[Paths]) -> Scenes:
    """What is one scene.

    Args:
        chosen: One product for each part of each acquisition.
        listed: The products of each scene that is listed already.
    """
    datatakes: dict[tuple[str, str, datetime], list[Sighting]] = {}
    for one in chosen:
        what = one.acquisition
        datatakes.setdefault((what.platform, what.scope, what.start), []).append(one)
    rows_with: dict[str, list[Paths]] = {}
    for paths in listed:
        for path in paths:
            rows_with.setdefault(path, []).append(paths)
    found = Scenes([], [], [])
    for parts in datatakes.values():
        rows = [paths for one in parts for paths in rows_with.get(one.path, ())]
        taken, shown = _without_shown(parts, rows)
        scenes = [joined_parts(group) for group in _as_listed(taken, rows)]
        found.every.extend(scenes)
        found.shown.extend(shown)
        if len(scenes) > 1:
            found.apart.append(scenes)
    return replace(found, every=sorted(found.every, key=lambda one: (one.start, one.path)))


def _without_shown(
    parts: Sequence[Sighting], listed: Collection[Paths]
) -> tuple[list[Sighting], list[tuple[Sighting, list[Sighting]]]]:
    """The parts without those whose ground listed ones and better ones show together."""
    from sensor2sensor.products.acquisitions import shown_by

    there = {path for paths in listed for path in paths}
    taken = [one for one in parts if one.path in there]
    shown: list[tuple[Sighting, list[Sighting]]] = []
    others = [one for one in parts if one.path not in there]
    for one in sorted(others, key=attrgetter("rank"), reverse=True):
        before = [better.footprint for better in taken]
        if before and shown_by(one.footprint, before, _epsg(one)):
            shown.append((one, list(taken)))
        else:
            taken.append(one)
    return [one for one in parts if one in taken], shown


def joined_parts(parts: Sequence[Sighting]) -> Sighting:
    """Parts of one tile as one sighting, named by the one of newest baseline that shows most."""
    from sensor2sensor.products.s2_parts import area_m2, footprint_of, mean_cloud

    if len(parts) == 1:
        return parts[0]
    epsg = _epsg(parts[0])
    largest = sorted(parts, key=lambda one: (-area_m2(one.footprint, epsg), one.path))
    # Where several have a pixel the first one counts: no older baseline comes before a newer one.
    ordered = sorted(largest, key=lambda one: one.rank[:1], reverse=True)
    cloud = mean_cloud([(one.facts["cloud_fraction"], one.footprint) for one in ordered], epsg)
    return replace(
        ordered[0],
        joined=tuple(one.path for one in ordered[1:]),
        footprint=footprint_of([one.footprint for one in ordered]),
        facts={**ordered[0].facts, "cloud_fraction": cloud},
    )


def _epsg(scene: Sighting) -> int:
    assert scene.epsg is not None, "of Sentinel-2"
    return scene.epsg


def distinct(products: Sequence[Sighting]) -> list[Sighting]:
    """Of products of one acquisition those that hold different parts, the first one of each."""
    from sensor2sensor.products.acquisitions import same_part

    found = list(products[:1])
    for one in products[1:]:
        # A frame of a pass is there whole.
        if one.epsg is None:
            continue
        if not any(same_part(one.footprint, other.footprint, one.epsg) for other in found):
            found.append(one)
    return found


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


def _as_listed(ones: Sequence[Sighting], listed: Collection[Paths]) -> list[list[Sighting]]:
    """Products that belong together, in groups: all of them, or as they are listed already.

    What is listed of them stays, but for what is listed within more; each other one is by itself.
    """
    known = frozenset(one.path for one in ones)
    there = {paths for paths in listed if paths and paths <= known}
    largest = [paths for paths in there if not any(paths < more for more in there)]
    if not largest:
        return [list(ones)]
    rest = known.difference(*largest)
    apart = [*sorted(largest, key=sorted), *({path} for path in sorted(rest))]
    return [[one for one in ones if one.path in paths] for paths in apart]
