"""Step 30 through its door: pictures of the right scenes, and nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import rasterio

from sensor2sensor.core import files
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.inventory.rows import HEADER, read_rows
from sensor2sensor.preprocess.inventory.table import read_inventory
from sensor2sensor.preprocess.quicklooks.render import STRETCH
from sensor2sensor.preprocess.quicklooks.run import main
from tests.doors import run_door
from tests.scripts.step_archive import fresh_copy, killed, overpass, tree

NAME = "inv_T17XNA_2.5h"


@pytest.fixture
def archive(tmp_path):
    env, file = fresh_copy(tmp_path)
    assert inventory.main(["--environment", file, "--tile", "T17XNA", "--timediff", "2.5"]) == 0
    return env, file


def step30(file, *options, name=NAME):
    return main(["--environment", file, "--inventory", name, "--downsample", "2", *options])


def config(env, name=NAME):
    return json.loads((env.inventory_dir / name / "_config.json").read_text())


def set_overlaps(env, *overlaps):
    path = env.inventory_dir / f"{NAME}.csv"
    rows = zip(read_rows(path), overlaps, strict=True)
    files.write_csv(path, HEADER, [replace(row, overlap=share).cells() for row, share in rows])


def test_pictures_are_named_by_scene_and_the_page_shows_them(archive, capsys):
    env, file = archive
    assert step30(file) == 0
    folder = env.inventory_dir / NAME
    assert sorted(path.name for path in folder.iterdir()) == [
        "0.png",
        "2.png",
        "_config.json",
        "index.html",
    ]
    page = (folder / "index.html").read_text()
    known = read_inventory(env, NAME)
    for scene, rows in known.scenes().items():
        product = known.products[rows[0].s2]["name"]
        assert f'data-id="{scene}" data-product="{product}"' in page
        assert f'src="{scene}.png"' in page
        assert config(env)["scenes"][str(scene)]["product"] == product
    assert "S3 60 min before S2" in page and "baseline 04.00" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "step 30: 2 done, 0 already there, 0 failed" in capsys.readouterr().out


def test_the_picture_is_the_recorded_stretch_of_the_decimated_band(archive):
    env, file = archive
    assert step30(file) == 0
    noted = config(env)
    product = next(env.s2_root.glob("*.SAFE"))
    with rasterio.open(env.inventory_dir / NAME / "0.png") as source:
        shown = source.read()
    assert shown.shape == (4, 96, 96)
    dns = {}
    for band in ("B04", "B03", "B02"):
        with rasterio.open(next(product.rglob(f"*_{band}.jp2"))) as source:
            assert (source.read(1) > 0).all()
            dns[band] = source.read(1, out_shape=(96, 96))
    assert any((dn == 0).any() for dn in dns.values())  # undershoot beside a bright edge: a value
    with rasterio.open(next(product.rglob("MSK_CLASSI_B00.jp2"))) as source:
        cloudy = source.read([1, 2]).any(axis=0)
    at = ((np.arange(96) + 0.5) * 20 // 60).astype(int)
    clear = ~cloudy[np.ix_(at, at)]
    assert 0.05 < clear.mean() < 0.95
    limits = noted["scenes"]["0"]["stretch_reflectance"]
    for layer, dn, (low, high) in zip(shown[:3], dns.values(), limits, strict=True):
        reflectance = (dn.astype(float) - 1000) / 10000
        bounds = np.percentile(reflectance[clear], noted["stretch"]["percentiles"])
        assert [low, high] == pytest.approx(bounds, abs=1e-4)
        scaled = np.clip((reflectance - low) / (high - low), 0, 1)
        expected = 255 * scaled ** noted["stretch"]["gamma"]
        assert np.abs(layer - expected).max() <= 0.51
    assert (shown[3] == 255).all()


def test_scenes_below_the_overlap_are_left_out_and_their_old_pictures_removed(archive, capsys):
    env, file = archive
    assert step30(file) == 0
    set_overlaps(env, 0.2, 0.6, 0.4)
    assert step30(file, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "pictures would be removed, for they are not on the page (any more): scene 00002" in said
    assert step30(file) == 0
    said = capsys.readouterr().out
    assert "pictures removed, for they are not on the page (any more): scene 00002" in said
    assert [p.name for p in (env.inventory_dir / NAME).glob("*.png")] == ["0.png"]
    assert step30(file, "--overlap", "0.61") == 0
    assert list((env.inventory_dir / NAME).glob("*.png")) == []
    assert "No scene of this inventory" in (env.inventory_dir / NAME / "index.html").read_text()
    assert step30(file, "--overlap", "0.4") == 0
    assert len(list((env.inventory_dir / NAME).glob("*.png"))) == 2


def test_partners_that_are_gone_and_frames_of_one_pass_are_marked(archive, capsys):
    env, file = archive
    rows = read_rows(env.inventory_dir / f"{NAME}.csv")
    shutil.rmtree(env.s3_root / rows[0].s3)
    listed = ["--environment", file, "--tile", "T17XNA", "--timediff", "2.5"]
    second = rows[2].s3date + timedelta(minutes=3)
    overpass(env.s3_root, "S3A", second)
    assert inventory.main(listed) == 0
    set_overlaps(env, 0.9, 0.9, 0.6, 0.4)
    assert step30(file, "--overlap", "0.3") == 0
    page = (env.inventory_dir / NAME / "index.html").read_text()
    first, other = page.split("<article")[1:]
    assert first.count("not in the archive any more") == first.count("<li class=lost>") == 1
    assert first.count("<li>") == 1 and "frames of one pass" not in first
    assert "not in the archive" not in other
    assert other.count("one of 2 frames of one pass; step 40 takes tiles from one") == 2


def test_sentinel2_alone_shows_every_scene(archive):
    env, file = archive
    assert inventory.main(["--environment", file, "--tile", "T17XNA", "--s2-only"]) == 0
    assert step30(file, name="inv_T17XNA_s2") == 0
    folder = env.inventory_dir / "inv_T17XNA_s2"
    assert sorted(p.name for p in folder.glob("*.png")) == ["0.png", "1.png"]
    assert "Sentinel-3" not in (folder / "index.html").read_text()


def test_a_rerun_does_nothing_again_unless_something_changed(archive, capsys):
    env, file = archive
    assert step30(file) == 0
    first = tree(env.inventory_dir)
    made = (env.inventory_dir / NAME / "0.png").stat().st_mtime_ns
    assert step30(file) == 0
    assert "0 done, 2 already there" in capsys.readouterr().out
    assert tree(env.inventory_dir) == first
    assert (env.inventory_dir / NAME / "0.png").stat().st_mtime_ns == made
    (env.inventory_dir / NAME / "0.png").write_bytes(b"damaged")
    assert step30(file) == 0
    assert "1 done, 1 already there" in capsys.readouterr().out
    assert tree(env.inventory_dir) == first
    assert step30(file, "--downsample", "4") == 0
    assert "2 done, 0 already there" in capsys.readouterr().out
    with rasterio.open(env.inventory_dir / NAME / "2.png") as source:
        assert source.shape == (48, 48)


def test_a_picture_stretched_otherwise_or_by_another_mask_is_made_again(
    archive, capsys, monkeypatch
):
    env, file = archive
    assert step30(file) == 0
    mask = next(next(env.s2_root.glob("*.SAFE")).rglob("MSK_CLASSI_B00.jp2"))
    os.utime(mask, ns=(0, 0))
    capsys.readouterr()
    assert step30(file) == 0
    assert "1 done, 1 already there" in capsys.readouterr().out
    monkeypatch.setitem(STRETCH, "gamma", 0.6)
    assert step30(file) == 0
    assert "2 done, 0 already there" in capsys.readouterr().out
    assert config(env)["stretch"]["gamma"] == 0.6


def test_a_damaged_product_is_named_and_the_others_are_shown(archive, capsys):
    env, file = archive
    image = next(next(env.s2_root.glob("*.SAFE")).rglob("*_B03.jp2"))
    image.write_bytes(image.read_bytes()[:2000])
    assert step30(file) == 1
    out = capsys.readouterr().out
    assert "_B03.jp2" in out
    assert "1 done, 0 already there, 1 failed" in out
    assert [p.name for p in (env.inventory_dir / NAME).glob("*.png")] == ["2.png"]
    assert 'data-id="0"' not in (env.inventory_dir / NAME / "index.html").read_text()


def test_a_product_that_is_gone_is_named(archive, capsys):
    env, file = archive
    gone = next(env.s2_root.glob("*.SAFE"))
    shutil.rmtree(gone)
    assert step30(file) == 1
    assert f"failed: {gone.name}" in capsys.readouterr().out.replace(f"{env.s2_root}/", "")


def test_two_workers_write_the_same_bytes(archive):
    env, file = archive
    assert step30(file) == 0
    alone = tree(env.inventory_dir)
    shutil.rmtree(env.inventory_dir / NAME)
    assert step30(file, "--workers", "2") == 0
    assert tree(env.inventory_dir) == alone


def test_dry_run_writes_nothing(archive, capsys):
    env, file = archive
    before = tree(env.data_root)
    assert step30(file, "--dry-run") == 0
    assert tree(env.data_root) == before
    said = capsys.readouterr().out
    assert "scenes to show: 2" in said
    assert "step 30: 2 would be done, 0 already there, 0 failed" in said
    step30(file)
    assert step30(file, "--dry-run", "--workers", "2") == 0
    assert "0 would be done, 2 already there, 0 failed" in capsys.readouterr().out


def test_a_crash_at_any_write_leaves_no_trace_after_a_rerun(archive):
    env, file = archive
    assert step30(file) == 0
    undisturbed = tree(env.inventory_dir)
    for n in range(1, 12):
        shutil.rmtree(env.inventory_dir / NAME)
        try:
            with files.crash_at_write(n):
                assert step30(file) == 0
            # Two pictures, the notes, the page.
            assert n == 5
            break
        except files.SimulatedCrash:
            assert step30(file) == 0
            assert tree(env.inventory_dir) == undisturbed
    else:
        pytest.fail("the step never finished")


def test_a_killed_process_leaves_no_lock_and_no_trace(archive, repository):
    env, file = archive
    assert step30(file) == 0
    undisturbed = tree(env.inventory_dir)
    shutil.rmtree(env.inventory_dir / NAME)
    script = repository / "preprocessing" / "30_create_s2pngs.py"
    options = ("--environment", file, "--inventory", NAME, "--downsample", "2")
    assert killed(script, *options, at_write=2) == 137
    assert any(name.endswith(".part") for name in tree(env.inventory_dir / NAME))
    assert step30(file) == 0
    assert tree(env.inventory_dir) == undisturbed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--inventory", "inv_T17XNA_3h"], "nearest: 'inv_T17XNA_2.5h'"),
        (["--inventory", "../x"], "no inventory name"),
        (["--inventory", NAME, "--overlap", "1.5"], "--overlap 1.5"),
        (["--inventory", NAME, "--overlap", "nan"], "--overlap nan"),
        (["--inventory", NAME, "--downsample", "0"], "--downsample 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(archive, capsys, options, message):
    _, file = archive
    assert main(["--environment", file, *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_the_door_runs_from_anywhere_without_heavy_imports(tmp_path, repository):
    door = repository / "preprocessing" / "30_create_s2pngs.py"
    done = run_door(door, "--help", cwd=tmp_path)
    assert done.code == 0 and not done.heavy
    assert "--inventory inv_T17XNA_10h" in done.out


def test_nodata_of_the_real_swath_edge_is_transparent(tmp_path, real_data):
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"data_root": "data", "s2_root": str(real_data / "s2_safe")}))
    env_options = ["--environment", str(file)]
    listed = ["--tile", "T29UNU", "--s2-only", "--resolution", "60"]
    assert inventory.main([*env_options, *listed]) == 0
    assert main([*env_options, "--inventory", "inv_T29UNU_s2_60m", "--downsample", "60"]) == 0
    with rasterio.open(tmp_path / "data/_inventory/inv_T29UNU_s2_60m/0.png") as source:
        shown = source.read()
    assert shown.shape == (4, 183, 183)
    # The product's own metadata: 40.4 % of the pixels hold no data.
    assert (shown[3] == 0).mean() == pytest.approx(0.404, abs=0.005)
    assert (shown[:3, shown[3] == 0] == 0).all()
