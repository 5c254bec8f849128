"""Step 20 and products whose metadata are gone: of listed ones a failure, of others a word."""

from __future__ import annotations

import json

import pytest

from sensor2sensor.preprocess import tilecodes
from tests.fakes.open_buckets import as_cogs
from tests.scripts.step_archive import PASSES, SCENES, fresh_copy, scene
from tests.scripts.test_step20 import step20


@pytest.fixture
def archive(tmp_path):
    return fresh_copy(tmp_path)


def test_a_listed_folder_that_is_no_product_any_more_is_said(archive, capsys):
    env, file = archive
    made = scene(env.data_root.parent / "made", SCENES[1], level="L2A")
    folder = as_cogs(made, env.s2_root, applied=False)
    scene(env.s2_root, SCENES[0], level="L2A")
    asked = ("--s2-only", "--level", "L2A")
    assert step20(file, *asked, timediff=None) == 0
    for item in folder.glob("*.json"):
        item.unlink()
    capsys.readouterr()
    # As one that lost a band: exit code, count and list are those of a damaged product.
    assert step20(file, *asked, timediff=None) == 1
    said = capsys.readouterr().out
    (failed, line) = [line for line in said.splitlines() if folder.name in line][::-1]
    assert "is no product of tile T17XNA any more" in line
    assert failed.strip() == f"failed: {folder.name}: is no product of tile T17XNA any more"
    assert "1 already there, 1 failed" in said
    (listed,) = json.loads((env.inventory_dir / "inv_T17XNA_s2_L2A.json").read_text())["failed"]
    assert listed["product"] == folder.name


def test_a_listed_sentinel_3_product_that_lost_its_manifest_is_a_failure_too(archive, capsys):
    """A folder of any name: without its manifest nothing says that it was to be a product."""
    env, file = archive
    made = next((env.s3_root / PASSES[0][0]).glob("*.SEN3"))
    product = made.rename(made.with_name("pass"))
    assert step20(file) == 0
    (product / "xfdumanifest.xml").unlink()
    capsys.readouterr()
    assert step20(file) == 1
    path = product.relative_to(env.s3_root).as_posix()
    assert f"failed: {path}: is no product of Sentinel-3 (EFR) any more" in capsys.readouterr().out


def test_bands_without_metadata_are_named_where_there_is_nothing_else(archive, caplog, capsys):
    """Each of the two steps sent to the other, and none said a word of the folder."""
    env, file = archive
    made = next(env.s2_root.glob("*.SAFE"))
    folder = env.s2_root / "T17XNA_July"
    folder.mkdir()
    next(made.rglob("*_B02.jp2")).rename(folder / "B02.jp2")
    for other in env.s2_root.iterdir():
        if other != folder:
            other.rename(env.data_root.parent / other.name)
    said = f"{folder}: passed over: images of bands, but no STAC item or metadata.xml"
    assert tilecodes.main(["--environment", file]) == 0
    assert said in caplog.text
    caplog.clear()
    assert step20(file) == 2
    assert said in caplog.text and "no Sentinel-2 product of tile" in capsys.readouterr().err
