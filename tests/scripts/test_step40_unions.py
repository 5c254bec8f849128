"""Unions of selections (--keep), --force, and runs that fail: no tile is lost, none goes unsaid."""

from __future__ import annotations

import json

import pytest

from sensor2sensor.core.files import SimulatedCrash, crash_at_write
from tests.unit.preprocess.tifs_archive import (
    INVENTORY,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
    tree,
)


@pytest.fixture
def two(both):
    """Selections ``one`` and ``two`` of a scene each; the archive and its two scenes."""
    first, second = scenes(both)
    select(both, first, name="one")
    select(both, second, name="two")
    return both, first, second


def tiles(root) -> dict[int, int]:
    counts: dict[int, int] = {}
    for row in rows_of(folder_of(root)):
        counts[int(row["scene"])] = counts.get(int(row["scene"]), 0) + 1
    return counts


def overlays(root) -> set[str]:
    folder = root / "data" / "_inventory" / "_overlays" / INVENTORY
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_a_larger_quantity_with_keep_is_one_for_the_whole_union(two) -> None:
    root, first, second = two
    assert step40(root, "--quantity", "1", selection="one") == 0
    assert step40(root, "--quantity", "2", "--keep", selection="two") == 0
    assert tiles(root) == {first: 2, second: 2}


@pytest.mark.parametrize("before", [0, 1], ids=["first run", "raise"])
def test_a_killed_run_of_one_selection_is_ended_by_another_with_keep(two, before: int) -> None:
    root, first, second = two
    if before:
        assert step40(root, "--quantity", str(before), selection="one") == 0
    with pytest.raises(SimulatedCrash), crash_at_write(6):
        step40(root, "--quantity", "2", selection="one")
    assert step40(root, "--quantity", "2", "--keep", selection="two") == 0
    assert tiles(root) == {first: 2, second: 2}


def test_keep_after_a_run_with_a_failure_keeps_what_was_there(two, capsys) -> None:
    root, first, second = two
    assert step40(root, "--quantity", "1", selection="one") == 0
    product = next((root / "s2").glob("*.zip"))
    whole = product.read_bytes()
    product.write_bytes(whole[: len(whole) // 2])
    assert step40(root, "--quantity", "1", selection="two") == 1
    assert "or one with --keep" in capsys.readouterr().out
    product.write_bytes(whole)
    assert step40(root, "--quantity", "1", "--keep", selection="two") == 0
    assert tiles(root) == {first: 1, second: 1}


def test_force_says_what_it_replaces_and_keep_makes_the_union_anew(two, capsys) -> None:
    root, first, second = two
    assert step40(root, "--quantity", "1", selection="one") == 0
    assert step40(root, "--quantity", "1", "--keep", selection="two") == 0
    other = ("--quantity", "1", "--max-cloud", "0.5", "--force")
    capsys.readouterr()
    assert step40(root, *other, "--dry-run", selection="two") == 0
    assert f"would first remove 2 tiles of 2 scenes ({first:05d}, {second:05d})" in (
        capsys.readouterr().out
    )
    assert step40(root, *other, "--keep", selection="two") == 0
    assert "removed 2 tiles of 2 scenes" in capsys.readouterr().out
    assert tiles(root) == {first: 1, second: 1}
    assert step40(root, "--quantity", "1", "--max-cloud", "0.4", "--force", selection="two") == 0
    assert tiles(root) == {second: 1}
    assert overlays(root) == {f"two/64/{second}_64px.png"}


def test_a_force_that_is_killed_leaves_a_folder_that_says_it_is_unfinished(two) -> None:
    root, first, _ = two
    assert step40(root, "--quantity", "2", selection="one") == 0
    with pytest.raises(SimulatedCrash), crash_at_write(4):
        step40(root, "--quantity", "2", "--max-cloud", "0.5", "--force", selection="one")
    manifest = json.loads((folder_of(root) / "manifest.json").read_text())
    assert manifest["complete"] is False
    assert step40(root, "--quantity", "2", "--max-cloud", "0.5", "--force", selection="one") == 0
    assert tiles(root) == {first: 2}


def test_a_run_that_cannot_read_the_partner_costs_no_finished_tile(two) -> None:
    root, _, second = two
    assert step40(root, "--quantity", "1", selection="two") == 0
    before = tree(folder_of(root))
    product = root / "s3" / rows_of(folder_of(root))[0]["s3"]
    content = bytearray(product.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(4096)
    product.write_bytes(bytes(content))
    step40(root, "--quantity", "2", "--no-verify", selection="two")
    assert tiles(root) == {second: 1}
    after = tree(folder_of(root))
    assert {n: b for n, b in after.items() if n.endswith((".tif", ".csv"))} == {
        n: b for n, b in before.items() if n.endswith((".tif", ".csv"))
    }


def test_an_overlay_follows_the_masks(two) -> None:
    root, first, _ = two
    masks = root / "data" / "_masks"
    masks.mkdir(parents=True)
    pictures = []
    for east in (-80.9, -80.95):
        ring = f"-81.2,72.9 {east},72.9 {east},73.1 -81.2,73.1 -81.2,72.9"
        (masks / "ice.kml").write_text(
            '<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><Polygon><outerBoundaryIs>'
            f"<LinearRing><coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs>"
            "</Polygon></Placemark></kml>"
        )
        assert step40(root, "--quantity", "1", "--masks", "ice", selection="one") == 0
        path = root / "data/_inventory/_overlays" / INVENTORY / f"one/64/{first}_64px.png"
        pictures.append(path.read_bytes())
    assert pictures[0] != pictures[1]


def test_selections_of_one_name_and_two_inventories_keep_their_overlays(two) -> None:
    root, first, _ = two
    folder = root / "data" / "_inventory"
    for suffix in (".csv", ".json"):
        content = (folder / f"{INVENTORY}{suffix}").read_text()
        (folder / f"inv_T17XNA_other{suffix}").write_text(content)
    assert step40(root, "--quantity", "1", selection="one") == 0
    before = overlays(root)
    chosen = root / "elsewhere" / "one.json"
    chosen.parent.mkdir()
    content = {"inventory": "inv_T17XNA_other", "s2_indices": [first]}
    chosen.write_text(json.dumps(content))
    assert step40(root, "--quantity", "1", selection=str(chosen)) == 0
    assert overlays(root) == before == {f"one/64/{first}_64px.png"}


def test_without_a_limit_on_clouds_unknown_ones_decide_nothing(two) -> None:
    root, *_ = two
    assert step40(root, "--quantity", "1", "--max-cloud", "1", selection="one") == 0
    more = ("--max-cloud", "1", "--unknown-cloud", "accept")
    assert step40(root, "--quantity", "1", *more, selection="one") == 0
