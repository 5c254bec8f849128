"""What is said where AOIs are left out before they are read: the reasons that are, and remedies."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.sources.worldstrat.run import main
from tests.fakes.worldstrat import Look, write_raw
from tests.fakes_tiles import own_environment

AOIS = {
    "Landcover-1": ("train", [Look(1, (1.3, -0.7))]),
    "UNHCR-1": ("val", [Look(0)]),
    "Landcover-2": ("test", [Look(-2)]),
    "Landcover-3": ("test", [Look(30)]),
}


def _door(root: Path, *words: object) -> int:
    given = ["--data", root / "WorldStrat", "--max-shift", 2, *own_environment(root), *words]
    return main([str(word) for word in given])


def test_small_images_are_told_with_the_tile_size_that_fits_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_raw(tmp_path / "WorldStrat", AOIS, low_px=24)
    assert _door(tmp_path) == 2
    said = capsys.readouterr().err
    assert "4 of 4 tiles are left out by size (3) and days between the looks (1)" in said
    # 24 pixels of 10 m, less two on each side.
    assert "--tilesize 40 or less (the images have 48, and --max-shift needs room)" in said
    assert "or --max-days with a larger number" in said and "--min-correlation" not in said
    assert _door(tmp_path, "--tilesize", 40) == 0


def test_what_is_no_reason_is_no_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aois = {name: aoi for name, aoi in AOIS.items() if name != "Landcover-3"}
    write_raw(tmp_path / "WorldStrat", aois, low_px=24)
    (tmp_path / "list.txt").write_text("UNHCR-1\n")
    assert _door(tmp_path, "--tilesize", 40, "--exclude", tmp_path / "list.txt") == 2
    said = capsys.readouterr().err
    assert "1 of 3 tiles are left out by --exclude (1); give it samples of every split" in said
