"""Ground that one data set tests on and another one trains on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sensor2sensor.dataset import overlap as module
from sensor2sensor.dataset.overlap import overlap
from tests.fakes_dataset import toy_contract
from tests.unit.dataset.test_when import ROW

CONTRACT = toy_contract("a", "degraded", 6, 64, 0)  # tiles of 640 m, blocks of 2560 m
GROUP = CONTRACT.split_policy.model_copy(update={"ground": "group", "by": "group"})


def row(name, split, x=None, y=7e6, epsg=32633, **changes):
    place = {} if x is None else {"epsg": epsg, "ulx_m": x, "uly_m": y}
    return replace(ROW, name=name, split=split, **place, **changes)


def found(monkeypatch, there, here, one=CONTRACT, other=CONTRACT, split="test", aside=()):
    tables = {"there": there, "here": here}
    monkeypatch.setattr(module, "read_split", lambda folder: tables[folder])
    return overlap(("there", one), ("here", other), split, aside)


def test_tiles_on_ground_of_the_train_split_are_seen_whatever_their_names(monkeypatch):
    there = [row("p", "train", 5e5), row("q", "val", 6e5), row("r", "test", 7e5)]
    here = [
        row("half", "test", 5e5 + 320), row("edge", "test", 5e5 + 640), row("far", "test", 9e5),
        row("of val", "test", 6e5), row("train of its own", "train", 5e5),
    ]  # fmt: skip
    told = found(monkeypatch, there, here)
    assert (told.ground, told.seen, told.known) == ("crs", {"half"}, True)
    assert told.tiles == ("half", "edge", "far", "of val")
    # Side by side with a tile that was trained on, in a block that both lie in.
    assert told.beside == {"edge"} and told.shared
    assert (told.of("half"), told.of("edge"), told.of("far")) == (True, False, False)


def test_ground_is_one_in_two_zones_and_at_the_antimeridian(monkeypatch):
    from sensor2sensor.geo.projections import from_lonlat

    for lon, lat, zones in ((18.0, 60.0, (32633, 32634)), (180.0, 65.0, (32660, 32601))):
        (x, y), (u, v) = (from_lonlat(epsg).transform(lon, lat) for epsg in zones)
        there = [row("p", "train", x - 320, y + 320, zones[0])]
        here = [row("same", "test", u - 320, v + 320, zones[1])]
        here.append(row("other", "test", u + 9e3, v, zones[1]))
        assert found(monkeypatch, there, here).seen == {"same"}


def test_places_without_coordinates_are_told_by_their_names_within_one_source(monkeypatch):
    def contract(step):
        changes = {"split_policy": GROUP, "provenance": {"step": step}}
        return CONTRACT.model_copy(update=changes)

    there = [row("p", "train", block="austin"), row("q", "test", block="kitsap")]
    here = [row("x", "test", block="austin"), row("y", "test", block="kitsap")]
    told = found(monkeypatch, there, here, contract("52"), contract("52"))
    assert (told.ground, told.seen, told.shared) == ("group", {"x"}, ("austin",))
    # The 'austin' of another source may be another place.
    told = found(monkeypatch, there, here, contract("52"), contract("54"))
    assert (told.ground, told.seen, told.of("y")) == ("unknown", frozenset(), None)
    assert "a and a do not both say where their tiles lie" in told.note


@pytest.mark.parametrize(("changes", "seen"), [
    ({"source_sha256": "ab"}, True), ({"source_sha256": "cd"}, False),
    ({"name": "p"}, True), ({"name": "p", "inventory": "another"}, False),
])  # fmt: skip
def test_where_nobody_knows_the_ground_tiles_of_one_file_are_found(monkeypatch, changes, seen):
    there = [row("p", "train"), row("q", "train", source_sha256="ab")]
    told = found(monkeypatch, there, [replace(row("x", "test"), **changes)])
    assert (told.ground, bool(told.seen)) == ("unknown", seen)


def test_ground_of_val_is_told_apart_and_what_calibrates_of_it(monkeypatch):
    """It was chosen by, or its quantiles were: none of it is new ground."""
    there = [row("p", "train", 5e5), row("v", "val", 6e5), row("k", "val", 7e5, source_sha256="k")]
    here = [row("of v", "test", 6e5 + 64), row("of k", "test", 7e5), row("far", "test", 9e5)]
    told = found(monkeypatch, there, here, aside={"k"})
    assert (told.seen, told.shown, told.aside) == (frozenset(), {"of v", "of k"}, {"of k"})
    assert [told.of_val(name) for name in told.tiles] == [True, True, False]
    # Where nobody knows the ground those of one file are found, and of the others nothing is said.
    bare = [replace(one, epsg=None) for one in (replace(here[1], source_sha256="k"), here[2])]
    told = found(monkeypatch, there, bare, aside={"k"})
    assert (told.shown, told.aside, told.of_val("far")) == ({"of k"}, {"of k"}, None)
