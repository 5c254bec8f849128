"""Options that would do nothing are refused or told, never dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.inference import door
from sensor2sensor.inference.run import PredictOptions, layout_of, notices_of
from sensor2sensor.inference.scenes.opening import open_scene
from sensor2sensor.inference.scenes.options import SceneOptions
from sensor2sensor.predictors.exported import open_exported
from sensor2sensor.predictors.sidecar import digest, read_sidecar, write_sidecar
from sensor2sensor.predictors.tiling import Tiling
from tests.fakes.onnx_files import toy_form, write_exported
from tests.unit.inference.arrays import Smoothing, method
from tests.unit.inference.test_run import scene
from tests.unit.inference.test_stack import TWO, numbers, stack


def test_a_zoo_beside_a_file(tmp_path: Path, capsys) -> None:
    path = write_exported(tmp_path, toy_form())
    words = ["--model", str(path), "--zoo", str(tmp_path), "--product", "x.tif"]
    assert door.main(words) == 2
    assert "--zoo: says nothing: " in capsys.readouterr().err


def test_threads_of_a_saved_model(tmp_path: Path) -> None:
    path = write_exported(tmp_path, toy_form())
    said, model = read_sidecar(path)
    changed = {"format": "savedmodel", "sha256": digest(model)}
    write_sidecar(path, said.model_copy(update=changed))
    with pytest.raises(InputError, match="--threads: says nothing to a SavedModel"):
        open_exported(path, threads=2)


@pytest.mark.parametrize("asked", [{"radar": "linear"}, {"radar_file": Path("s1.tif")}])
def test_radar_of_a_model_that_takes_none(tmp_path: Path, asked) -> None:
    path = stack(tmp_path / "a.tif", numbers(), ("B02", "B8A"), scale=1e-4)
    with pytest.raises(InputError, match=r"--radar-file: says nothing to .* which takes no radar"):
        open_scene(path, TWO, SceneOptions(**asked))


@pytest.mark.parametrize(("side_px", "said"), [(120, "changes nothing: one window"), (24, None)])
def test_an_overlap_of_one_window(side_px, said) -> None:
    using = method(Smoothing(2), tiling=Tiling(None, (side_px, side_px), 1, 8))
    how, whole = PredictOptions(overlap_px=4), scene()
    told = notices_of(using, whole, layout_of(using, whole, how), how)
    assert not told if said is None else said in told[0]
