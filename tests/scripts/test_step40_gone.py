"""Finished tiles outlive the products they were made of, and options that cost no tile go on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import pytest

from sensor2sensor.core import files
from tests.unit.preprocess.tifs_archive import (
    archive,
    folder_of,
    rows_of,
    scenes,
    select,
    step40,
)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An archive with two partners for its scene, cut."""
    root = archive(tmp_path / "a")
    select(root, 0)
    assert step40(root, "--quantity", "2") == 0
    return root


def snapshot(root: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder_of(root).rglob("*") if p.is_file()}


@pytest.mark.parametrize("archive_of", ["s3", "s2"])
def test_tiles_stay_when_the_product_they_were_made_of_is_gone(
    made: Path, archive_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(made)
    taken = made / archive_of / rows_of(folder_of(made))[0][archive_of]
    shutil.move(taken, made / "elsewhere")
    capsys.readouterr()
    assert step40(made, "--quantity", "2", "--dry-run") == 0
    assert "its 2 tiles of before stay" in capsys.readouterr().out
    assert step40(made, "--quantity", "2") == 0
    said = capsys.readouterr().out
    assert "its 2 tiles of before stay" in said and "0 done, 1 already there, 0 failed" in said
    assert snapshot(made) == before


def test_more_tiles_of_a_product_that_is_gone_cost_those_there_are_nothing(made: Path) -> None:
    before = rows_of(folder_of(made))
    shutil.rmtree(made / "s3" / before[0]["s3"])
    assert step40(made, "--quantity", "3") == 0
    assert rows_of(folder_of(made)) == before


def test_tiles_of_other_masks_do_not_stay_for_want_of_a_product(made: Path) -> None:
    log = folder_of(made) / "scenes" / "00000.json"
    content = files.read_json(log)
    content["facts"]["asked"] = "of other masks"
    files.write_json(log, content)
    shutil.rmtree(made / "s2" / rows_of(folder_of(made))[0]["s2"])
    assert step40(made, "--quantity", "2") == 1


def test_a_folder_without_a_tile_takes_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = archive(tmp_path / "a")
    select(root, 0)
    assert step40(root, "--tilesize", "9999") == 1
    assert "lower --tilesize" in capsys.readouterr().out
    assert step40(root, "--tilesize", "9999", "--dry-run") == 1
    assert step40(root, "--tilesize", "9999", "--max-cloud", "0.5") == 1
    assert "other options" not in capsys.readouterr().err


def test_scenes_of_unknown_cloud_may_join_the_others(made: Path) -> None:
    before = rows_of(folder_of(made))
    assert step40(made, "--quantity", "2", "--unknown-cloud", "accept") == 0
    assert rows_of(folder_of(made)) == before
    assert step40(made, "--quantity", "2", "--unknown-cloud", "refuse") == 2


@pytest.mark.parametrize("content", ["[]", "{}", '{"options": {}, "bands": [], "files": null}'])
def test_a_manifest_that_is_none_is_named_and_deleting_it_costs_no_tile(
    made: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before, manifest = snapshot(made), folder_of(made) / "manifest.json"
    manifest.write_text(content)
    assert step40(made, "--quantity", "2") == 2
    assert "manifest.json: lacks" in (error := capsys.readouterr().err)
    assert "delete it and run step 40 again: whole tiles stay" in error
    manifest.unlink()
    assert step40(made, "--quantity", "2") == 0
    assert "0 done, 1 already there" in capsys.readouterr().out and snapshot(made) == before


@pytest.mark.parametrize(
    "damage",
    [{"facts": {}}, {"facts": None}, {"files": None}, {"scene": "0"}, {"rows": None}, {"rows": 3}],
)
def test_a_log_that_is_none_is_named_and_deleting_it_makes_the_scene_anew(
    made: Path, damage: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    before, log = snapshot(made), folder_of(made) / "scenes" / "00000.json"
    files.write_json(log, {**files.read_json(log), **damage})
    assert step40(made, "--quantity", "2") == 2
    error = capsys.readouterr().err
    assert "00000.json: is no scene log of this version; delete it" in error
    log.unlink()
    assert step40(made, "--quantity", "2") == 0 and snapshot(made) == before


def test_a_tile_that_was_damaged_is_made_anew_once_it_is_deleted(made: Path) -> None:
    before, tile = snapshot(made), next(folder_of(made).glob("00000_*.tif"))
    tile.write_bytes(b"cut")
    assert step40(made, "--quantity", "2") == 0 and snapshot(made) != before
    tile.unlink()  # as step 50 says
    assert step40(made, "--quantity", "2") == 0 and snapshot(made) == before


@pytest.mark.parametrize("archive_of", ["s2", "s3"])
@pytest.mark.parametrize("spelt", [str.upper, str.lower])
def test_a_product_in_one_case_is_cut_anew_where_its_files_are_others(
    tmp_path: Path, archive_of: str, spelt, capsys: pytest.CaptureFixture[str]
) -> None:
    root = archive(tmp_path / "a")
    select(root, 0)
    assert step40(root, "--quantity", "1") == 0
    product = root / archive_of / rows_of(folder_of(root))[0][archive_of]
    for path in sorted(product.rglob("*"), key=lambda one: -len(one.parts)):
        path.rename(path.with_name(spelt(path.name)))
    assert step40(root, "--quantity", "1") == 0
    capsys.readouterr()
    assert step40(root, "--quantity", "1") == 0
    assert "0 done, 1 already there" in capsys.readouterr().out
    images = [one for one in product.rglob("*") if "b04" in one.name.lower()]
    images += [one for one in product.rglob("*") if one.name.lower() == "oa08_radiance.nc"]
    os.utime(images[0], (1, 1))
    assert step40(root, "--quantity", "1") == 0
    assert "1 done, 0 already there" in capsys.readouterr().out


def test_the_manifest_of_sentinel_3_is_looked_at_too(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = made / "s3" / rows_of(folder_of(made))[0]["s3"]
    os.utime(product / "xfdumanifest.xml", (1, 1))
    assert step40(made, "--quantity", "2") == 0
    assert "1 done, 0 already there" in capsys.readouterr().out


def test_tiles_cut_without_checksums_do_not_pass_for_compared_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = archive(tmp_path / "a")
    select(root, 0)
    assert step40(root, "--quantity", "1") == 0
    nearest = rows_of(folder_of(root))[0]["s3"]
    with h5py.File(root / "s3" / nearest / "Oa05_radiance.nc", "r+") as file:
        file.attrs["title"] = "of another pass"
    assert step40(root, "--quantity", "1", "--no-verify") == 0
    capsys.readouterr()
    assert step40(root, "--quantity", "1", "--no-verify") == 0
    assert "0 done, 1 already there" in capsys.readouterr().out
    assert rows_of(folder_of(root))[0]["s3"] == nearest
    # The nearest pass is passed over as in a run that never left checksums out.
    assert step40(root, "--quantity", "1") == 0
    assert "differs from the manifest" in capsys.readouterr().out
    assert rows_of(folder_of(root))[0]["s3"] != nearest
    assert "verified" not in (folder_of(root) / "scenes" / "00000.json").read_text()


def test_tiles_cut_without_checksums_of_sound_products_are_compared_once(made: Path) -> None:
    before = snapshot(made)
    shutil.rmtree(folder_of(made))
    log = folder_of(made) / "scenes" / "00000.json"
    assert step40(made, "--quantity", "2", "--no-verify") == 0
    assert '"verified": false' in log.read_text()
    assert step40(made, "--quantity", "2") == 0 and snapshot(made) == before


def test_force_keeps_tiles_of_which_a_scene_cannot_be_cut_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = archive(tmp_path / "a")
    select(root, *scenes(root))
    assert step40(root, "--quantity", "1") == 0
    before = snapshot(root)
    shutil.rmtree(root / "s2" / rows_of(folder_of(root))[0]["s2"])
    assert step40(root, "--quantity", "1", "--seed", "5", "--force") == 2
    error = capsys.readouterr().err
    assert "scene 00000 cannot be cut again, so its 2 tiles of 2 scenes" in error
    assert "or take the scene out of the selection" in error and snapshot(root) == before
