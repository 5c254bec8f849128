"""A prediction as a file: whole or not there, gone on with after a kill, of what was asked for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError, ModelContractError, OutputExistsError
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference.command import predict_all
from sensor2sensor.inference.door import arguments
from sensor2sensor.inference.door import main as infer
from sensor2sensor.inference.run import PROVENANCE_TAG, PredictOptions, predict
from sensor2sensor.inference.scenes.scene import Cropped
from sensor2sensor.predictors.tiling import Tiling
from tests.doors import HANG_S
from tests.fakes.onnx_files import toy_form, write_exported
from tests.unit.inference.arrays import ArrayScene, Smoothing, Standardising, ground, method

HALO, BLENDED = Tiling(2), Tiling(None, (24, 24), 1, 10)
SMALL = PredictOptions(window_px=10)


def scene(height=100, width=40) -> ArrayScene:
    image = ground(height, width)
    image[20:25, 5:9] = np.nan
    return ArrayScene(image)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return np.moveaxis(source.read(), 0, -1)


def test_a_scene_becomes_a_file_and_nothing_else_is_left(tmp_path):
    out = tmp_path / "deep" / "a.tif"
    whole = scene()
    using = method(Smoothing(2), tiling=HALO)
    told = predict(using, whole, out, SMALL)
    assert [one.name for one in out.parent.iterdir()] == ["a.tif"]
    made = read(out)
    np.testing.assert_array_equal(np.isnan(made), np.isnan(whole.image))
    assert told.cog.valid_share == pytest.approx(1 - 20 / 4000) and told.cog.saturated == 0
    with rasterio.open(out) as source:
        assert source.descriptions == ("B02", "B03") and source.crs.to_epsg() == 32631
        said = json.loads(source.tags()[PROVENANCE_TAG])
    assert said == told.provenance and said["model"] == {"step": 3}
    assert said["windows"]["halo_px"] == 2 and said["windows"]["windows"] == 40


def test_one_of_the_same_request_is_left_and_another_is_refused(tmp_path):
    out, using = tmp_path / "a.tif", method(Smoothing(2), tiling=HALO)
    predict(using, scene(), out, SMALL)
    before = out.stat().st_mtime_ns
    told = predict(using, scene(), out, SMALL)
    assert told.current and out.stat().st_mtime_ns == before
    assert told.cog.valid_share == pytest.approx(1 - 20 / 4000)
    other = replace(SMALL, dtype="int16")
    with pytest.raises(OutputExistsError, match="of another request; name another, or add --force"):
        predict(using, scene(), out, other)
    assert not predict(using, scene(), out, replace(other, force=True)).current
    with rasterio.open(out) as source:
        assert source.dtypes[0] == "int16"
    foreign = tmp_path / "text.tif"
    foreign.write_text("mine")
    with pytest.raises(OutputExistsError, match="another request"):
        predict(using, scene(), foreign, SMALL)


class Drawing(Standardising):
    """Adds what is drawn by the name of a window, as dropout is."""

    def __call__(self, tiles, /):
        drawn = [random.Random(tile.name).random() for tile in tiles]
        return super().__call__(tiles) + np.float32(drawn)[:, None, None, None]


class Striding(Smoothing):
    """Gives means over squares of 4 pixels from a window's corner, as a network with strides."""

    def __call__(self, tiles, /):
        made = super().__call__(tiles)
        count, rows, columns, bands = made.shape
        blocks = made.reshape(count, rows // 4, 4, columns // 4, 4, bands).mean(axis=(2, 4))
        return blocks.repeat(4, 1).repeat(4, 2)


@pytest.mark.parametrize("place", [(7, 31, 20, 44), (29, 0, 11, 100), (0, 77, 3, 2), (1, 1, 38, 7)])
@pytest.mark.parametrize(("one", "tiling"), [
    (Smoothing(2), HALO), (Striding(2), Tiling(8, align_px=4)), (Drawing(), BLENDED),
    (Drawing(), Tiling(None, (24, 32), 1, 17)), (Drawing(), Tiling(None, (64, 64), 1, 16)),
])  # fmt: skip
def test_a_part_of_a_scene_is_that_part_of_it(tmp_path, one, tiling, place):
    using, whole = method(one, tiling=tiling), scene()
    options = PredictOptions(window_px=None if tiling.halo_px is None else 10)
    predict(using, whole, tmp_path / "all.tif", options)
    part = PixelWindow(*place)
    predict(using, Cropped(whole, part), tmp_path / "part.tif", options)
    cut = read(tmp_path / "all.tif")[part.rows, part.columns]
    np.testing.assert_allclose(read(tmp_path / "part.tif"), cut, atol=1e-6)


def test_several_predictors_write_mean_and_spread(tmp_path):
    using = method(Standardising(0.1), Standardising(0.2), tiling=BLENDED)
    predict(using, scene(), tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.descriptions == ("B02", "B03", "B02_std", "B03_std")
        assert source.count == 4 and np.nanmin(source.read(3)) > 0


@pytest.mark.parametrize(("tiling", "one"), [(HALO, Smoothing(2)), (BLENDED, Standardising())])
def test_killed_at_ten_points_and_repeated_it_is_the_same_file(tmp_path, tiling, one):
    options = SMALL if tiling is HALO else PredictOptions()
    whole, using = scene(), method(one, tiling=tiling)
    predict(using, whole, tmp_path / "whole.tif", options)
    wanted = (tmp_path / "whole.tif").read_bytes()
    # One of the request, one of each strip, one of the file.
    writes = 2 + len(whole.image) // 10 if tiling is HALO else 8
    points = [random.Random(0).randint(1, writes) for _ in range(10)]
    out = tmp_path / "killed.tif"
    for point in points:
        with pytest.raises(files.SimulatedCrash), files.crash_at_write(point):
            predict(using, whole, out, options)
        assert not out.exists()
        # Killed again on the way, once.
        if point > 3:
            with pytest.raises(files.SimulatedCrash), files.crash_at_write(2):
                predict(using, whole, out, options)
        predict(using, whole, out, options)
        assert out.read_bytes() == wanted
        assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.tif", "whole.tif"]
        out.unlink()


def test_a_repeat_does_not_predict_again_what_is_there(tmp_path):
    one, whole = Smoothing(2), scene()
    using = method(one, tiling=HALO, batch=4)
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(8):
        predict(using, whole, tmp_path / "a.tif", SMALL)
    before = len(one.calls)
    predict(using, whole, tmp_path / "a.tif", SMALL)
    assert before == 7 and len(one.calls) - before == 4  # the seventh strip was lost with the kill


def test_what_lies_beside_is_made_again_where_a_kill_came_before_its_end(tmp_path):
    using, out, made = method(Smoothing(2), tiling=HALO), tmp_path / "a.tif", []

    def finish(written):
        made.append(written.cog.path)
        files.write_json(tmp_path / "a.json", written.provenance)

    # The request, ten strips and the file come before.
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(13):
        predict(using, scene(), out, SMALL, finish)
    assert out.exists() and not (tmp_path / "a.json").exists()
    assert not predict(using, scene(), out, SMALL, finish).current
    assert (tmp_path / "a.json").exists()
    assert predict(using, scene(), out, SMALL, finish).current and len(made) == 3


def test_strips_of_another_request_are_not_mixed_in(tmp_path):
    using, out = method(Smoothing(2), tiling=HALO), tmp_path / "a.tif"
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(5):
        predict(using, scene(), out, SMALL)
    other = replace(using, provenance={"step": 4})
    with pytest.raises(OutputExistsError, match=r"begins anew \(other: model\)"):
        predict(other, scene(), out, SMALL)
    predict(other, scene(), out, replace(SMALL, force=True))
    assert out.exists()


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path):
    kept = tmp_path / "a.tif.part" / "thesis.tex"
    kept.parent.mkdir()
    kept.write_text("years of work")
    with pytest.raises(OutputExistsError, match=r"holds thesis\.tex, which is not ours"):
        predict(method(Smoothing(2), tiling=HALO), scene(), tmp_path / "a.tif", SMALL)
    assert kept.read_text() == "years of work"


def test_a_killed_process_leaves_what_a_repeat_goes_on_with(tmp_path):
    code = f"""
        import time
        from pathlib import Path
        from sensor2sensor.inference.run import predict
        from tests.unit.inference.arrays import Smoothing, method
        from tests.unit.inference.test_run import HALO, SMALL, scene

        class Slow(Smoothing):
            def __call__(self, tiles, /):
                kept = list(Path({str(tmp_path)!r}).glob("a.tif.part/*.npy"))
                time.sleep({HANG_S} if len(kept) >= 3 else 0)
                return super().__call__(tiles)

        predict(method(Slow(2), tiling=HALO), scene(), Path({str(tmp_path / "a.tif")!r}), SMALL)
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    until = time.monotonic() + HANG_S
    strips = tmp_path / "a.tif.part"
    while len(list(strips.glob("*.npy"))) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(strips.glob("*.npy"))) >= 3 and not (tmp_path / "a.tif").exists()
    one = Smoothing(2)
    predict(method(one, tiling=HALO), scene(), tmp_path / "a.tif", SMALL)
    assert 0 < len(one.calls) < 20
    predict(method(one, tiling=HALO), scene(), tmp_path / "b.tif", SMALL)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize(("tiling", "options", "said"), [
    (BLENDED, {"window_px": 32}, "--window-px: 'arithmetic' takes windows of 24 x 24 pixels alone"),
    (BLENDED, {"overlap_px": 24}, "--overlap-px: 24 of a window of 24 pixels leaves no step of 1"),
    (HALO, {"dtype": "uint8"}, "--dtype: uint8 holds 8-bit pictures"),
])  # fmt: skip
def test_an_option_that_does_not_fit_is_one_line_and_nothing_is_begun(
    tmp_path, tiling, options, said
):
    with pytest.raises(InputError, match=f"^{said}"):
        predict(
            method(Smoothing(2), tiling=tiling), scene(), tmp_path / "a.tif",
            PredictOptions(**options),
        )  # fmt: skip
    assert not list(tmp_path.iterdir())


def test_windows_that_a_file_does_not_take_are_refused_before_a_product_is_opened(tmp_path, capsys):
    model = write_exported(tmp_path, toy_form(), size_px=(64, 64))
    product = tmp_path / "a.tif"
    product.write_text("no picture")
    words = ["--model", str(model), "--product", str(product), "--out", str(tmp_path / "b.tif")]
    assert infer([*words, "--window-px", "192"]) == 2
    assert "'toy' takes windows of 64 x 64 pixels alone" in capsys.readouterr().err
    assert infer([*words, "--window-px", "64"]) == 2
    assert "is no product" in capsys.readouterr().err
    # Where the network alone tells, as that of a U-Net does, it is asked first.
    args = arguments().parse_args([*words, "--window-px", "192"])
    using = method(Smoothing(2), tiling=BLENDED)
    with pytest.raises(InputError, match="'unet' takes windows of 24 x 24 pixels alone"):
        predict_all(using.form, "unet", args, lambda: using)


@pytest.mark.parametrize(("asked", "said"), [
    (2, ["--overlap-px 2: less than the 6 pixels that 'arithmetic' sees beyond a window: borders "
         "of windows show"]),
    (5, []),  # whole steps of 3 make 6 of it
    (9, ["--overlap-px 9: more than the 6 pixels that 'arithmetic' sees beyond a window: slower, "
         "for the same result"]),
])  # fmt: skip
def test_another_halo_than_the_measured_one_is_said(tmp_path, asked, said):
    using = method(Smoothing(6), tiling=Tiling(6, align_px=3))
    told = predict(using, scene(30, 30), tmp_path / "a.tif", replace(SMALL, overlap_px=asked))
    assert told.provenance["notices"] == said


def test_values_that_cannot_be_undone_are_refused(tmp_path):
    with pytest.raises(ModelContractError, match="train with another normalisation than l2"):
        predict(method(Smoothing(2, normalised=True), tiling=HALO), scene(), tmp_path / "a.tif")


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.inference import cog
from sensor2sensor.inference.run import PredictOptions, predict
from sensor2sensor.inference.scenes.scene import Frame
from sensor2sensor.predictors.tiling import Tiling
from tests.unit.inference.arrays import ArrayScene, Smoothing, ground, method

class Tall:
    '''Rows of one image again and again.'''
    name, align_px, facts, notices = "tall", 1, {}, ()
    def __init__(self, height, image):
        self.frame, self.inner = Frame(image.shape[1], height), ArrayScene(image)
    def window(self, place, halo_px=0):
        y = place.y % 512
        return self.inner.window(PixelWindow(place.x, y, place.width, place.height), halo_px)
    def truth(self, place):
        return None

cog._CACHE_MIB = 16  # it may fill, and the short scene does not fill it
image, tiling = ground(1100, 700), Tiling(4)
def made(height, name):
    scene = Tall(height, image)
    predict(method(Smoothing(2), tiling=tiling), scene, Path(sys.argv[1]) / name,
            PredictOptions(window_px=256, dtype="int16"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
made(512, "warm.tif")
print(made(1024, "short.tif"), made(16384, "tall.tif"))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_scene(tmp_path):
    words = [sys.executable, "-c", PEAK, str(tmp_path)]
    told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=HANG_S)
    short, tall = map(float, told.stdout.split())
    # 16 times the rows, of 92 MB as float32; two thirds were seen, GDAL's caches among them.
    assert tall - short < 80, (short, tall)
    assert (tmp_path / "tall.tif").stat().st_size > 10_000_000
