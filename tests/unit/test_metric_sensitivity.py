"""The study of benchmarks.metric_sensitivity, small: what PSNR and FRR prefer under a shift."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from benchmarks import metric_sensitivity as study


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(study, "METRICS", ("psnr", "rmse"))
    monkeypatch.setattr(study, "MTFS", (0.1, None))
    monkeypatch.setattr(study, "SHIFTS_PX", (0.0, 2.0))


def test_psnr_prefers_blur_under_a_shift_and_frr_does_not(small, tmp_path, capsys):
    asked = ["--patches", "2", "--side", "64", "--out", str(tmp_path)]
    assert study.main(asked) == 0
    said = capsys.readouterr().out
    assert "PSNR is highest with MTF 0.1, FRR with no blur" in said and "fda_noise" not in said
    head = said.splitlines()[0].split()
    assert head[-4:] == ["frr", "fro", "fru", "noise"]
    content = json.loads((tmp_path / "metric_sensitivity.json").read_text())
    assert all({"frr", "noise"} < row["scores"].keys() for row in content["rows"])
    assert content["preferred"] == {"psnr": 0.1, "frr": None}
    assert len(content["rows"]) == 2 * 2 + 4 + 2 * 4
    assert (tmp_path / "metric_sensitivity.png").read_bytes()[:4] == b"\x89PNG"


def test_distortions_are_what_they_say(small):
    target = study.patches(2, 48)
    made = {(kind, amount, shift): x for kind, amount, shift, x in study.distortions(target)}
    np.testing.assert_array_equal(made["blur", None, 0.0], target)
    np.testing.assert_array_equal(made["blur", None, 2.0][:, :, 4:-4], target[:, :, 6:-2])
    lost = made["contrast", 0.11, 0.0]
    assert (lost - 0.1) == pytest.approx(0.89 * (target - 0.1), abs=1e-6)
    for kind in ("noise", "pattern"):
        assert (made[kind, 0.01, 0.0] - target).std() == pytest.approx(0.01, rel=0.05)
    repeated = made["pattern", 0.01, 0.0] - target
    np.testing.assert_allclose(repeated[:, :4], repeated[:, 4:8], atol=1e-6)


def test_images_give_whole_patches_in_reflectance(tmp_path):
    values = np.random.default_rng(0).integers(500, 3000, (1, 64, 96)).astype(np.uint16)
    values[0, :32, :32] = 0
    form = {"width": 96, "height": 64, "count": 1, "dtype": "uint16", "nodata": 0}
    place = {"driver": "GTiff", "transform": Affine(10, 0, 0, 0, -10, 640)}
    with rasterio.open(tmp_path / "a.tif", "w", **place, **form) as file:
        file.write(values)
    found = study.read([tmp_path / "a.tif"], 1, 1e-4, 32, 9)
    assert found.shape == (5, 32, 32, 1) and found.min() >= 0.05
    with pytest.raises(SystemExit, match="no patch of 128 x 128 pixels"):
        study.read([tmp_path / "a.tif"], 1, 1e-4, 128, 1)
