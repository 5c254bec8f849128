"""Bands that a model takes and never looks at: nobody has to have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.loading import left_out_groups
from sensor2sensor.core.errors import InputError, ModelContractError
from sensor2sensor.dataset.form import form_of
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from tests.fakes.sen12mscr import triplet_paths, write_triplets
from tests.unit.inference.test_stack import SIDE, sen12


def test_radar_that_a_model_never_sees_is_not_asked_for(tmp_path: Path) -> None:
    write_triplets(tmp_path, {"fall_139": 1}, side_px=SIDE)
    contract = sen12(tmp_path).drafts[0]
    paths, window = triplet_paths(tmp_path, "fall_139", 30), PixelWindow(0, 0, SIDE, SIDE)
    lacking = left_out_groups("dsen2cr", {"sar": False})
    assert lacking == ("S1",) and left_out_groups("dsen2cr", {}) == ()
    blind = form_of(contract, lacking)
    assert blind.unseen == ("VV", "VH") and "unseen" not in form_of(contract).model_dump()
    seeing = open_scene(paths["s2_cloudy"], form_of(contract)).window(window)
    for kind in ("s1", "s2"):
        paths[kind].unlink()
    scene = open_scene(paths["s2_cloudy"], blind)
    assert scene.facts["not_read"] == ["VV", "VH"] and len(scene.facts["files"]) == 1
    found = scene.window(window)
    assert found is not None and seeing is not None
    given, whole = found.record.input_dense, seeing.record.input_dense
    assert given is not None and whole is not None and given.shape == whole.shape
    names = [band.name for band in contract.input.bands]
    other = [names.index(name) for name in names if name not in blind.unseen]
    np.testing.assert_array_equal(given[..., other], whole[..., other])
    assert np.isfinite(given).all()
    with pytest.raises(InputError, match="takes no radar"):
        open_scene(paths["s2_cloudy"], blind, SceneOptions(radar="linear"))


def test_groups_that_a_module_leaves_out_are_a_literal(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class GAN:\n    OPTIONAL_GROUPS = {'x': 'S1', 'y': '20m'}\n")
    annotated = "class GAN:\n    OPTIONAL_GROUPS: ClassVar[dict[str, str]] = {'x': 'S1'}\n"
    (tmp_path / "annotated.py").write_text(annotated)
    assert left_out_groups("mine", {"x": False, "y": 0}, tmp_path) == ("S1",)
    assert left_out_groups("mean_colour", {"x": False}, tmp_path) == ()
    assert left_out_groups("annotated", {"x": False}, tmp_path) == ("S1",)
    for odd in ("made()", "{'x': ['S1']}", "'S1'"):
        (tmp_path / "odd.py").write_text(f"class GAN:\n    OPTIONAL_GROUPS = {odd}\n")
        with pytest.raises(ModelContractError, match="no literal table"):
            left_out_groups("odd", {}, tmp_path)
