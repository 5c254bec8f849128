"""Step 50 on bands that hold nothing: constant or empty over the whole train split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.test_tfrecords import STEP, step50


def test_a_constant_target_band_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def flat(layers: dict[str, np.ndarray]) -> None:
        layers["target"][..., 1] = layers["margin"][..., 1] = 0.05

    write_tiles(tmp_path, grid_tiles(5, 5, STEP, damage=flat))
    assert step50(tmp_path) == 2
    err = capsys.readouterr().err
    assert "target band B03 is constant over the train split (0.05 reflectance)" in err
    assert "--bands of step 20" in err and len(err.splitlines()) == 1
    assert not list(tmp_path.glob("*/*/dataset.json"))


def test_a_constant_input_band_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def flat(layers: dict[str, np.ndarray]) -> None:
        layers["radiance"][:, 4] = 7.0

    write_tiles(tmp_path, grid_tiles(5, 5, STEP, damage=flat))
    assert step50(tmp_path) == 0
    out = capsys.readouterr().out
    assert "cur_toy: input band Oa05 is constant over the train split (7 mW m-2 sr-1 nm-1)" in out
    assert out.count("is constant") == 1


def test_an_empty_target_band_leaves_no_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def empty(layers: dict[str, np.ndarray]) -> None:
        layers["target"][..., 1] = np.nan

    write_tiles(tmp_path, grid_tiles(5, 5, STEP, damage=empty))
    assert step50(tmp_path) == 2
    assert "B03" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*/dataset.json"))
