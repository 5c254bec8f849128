"""Windows over a scene: nothing shows where they meet, and nothing is lost at the edge."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from sensor2sensor.core.errors import InputError, ModelContractError
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.dataset.upsampling import grid_of, regular_index
from sensor2sensor.inference.cutting import blended_starts, blending, core_side, cut
from sensor2sensor.inference.run import PredictOptions, layout_of
from sensor2sensor.inference.strips import Strips, ahead
from sensor2sensor.predictors.tiling import Tiling
from tests.doors import HANG_S
from tests.unit.inference.arrays import ArrayScene, Smoothing, Standardising, ground, method

HALO = Tiling(4)
HILLS = np.random.default_rng(1).normal(0, 1, (400, 400, 2))


OPEN: list[Strips] = []


@pytest.fixture(autouse=True)
def closed():
    """What reads ahead is told to stop, as predict tells it."""
    yield
    while OPEN:
        OPEN.pop().close()


def strips(scene, using, **options):
    layout = layout_of(using, scene, PredictOptions(**options))
    OPEN.append(Strips(using, scene, layout, options.get("batch", using.batch_size)))
    return OPEN[-1]


def predicted(scene, using, **options):
    made = strips(scene, using, **options)
    return np.concatenate([made[number] for number in range(len(made))])


@pytest.mark.parametrize("factor", [1, 3])
def test_a_halo_gives_the_same_for_any_window_and_for_one_pass(factor):
    scene = ArrayScene(ground(61, 47), factor)
    using = method(Smoothing(4), tiling=HALO, factor=factor)
    one_pass = predicted(scene, using, window_px=10**6)
    assert one_pass.shape == (*scene.frame.shape, 2)
    for side, batch in ((9, 1), (32, 3), (50, 7)):
        np.testing.assert_allclose(
            predicted(scene, using, window_px=side, batch=batch), one_pass, atol=1e-6
        )
    # Within, where no mirror image is seen, it is the predictor's own answer.
    whole = scene.window(scene.frame.full_window)
    own = using.predictors[0]([whole.record])[0]
    np.testing.assert_allclose(one_pass[4:-4, 4:-4], own[4:-4, 4:-4], atol=1e-6)


def test_too_small_a_halo_shows():
    scene, using = ArrayScene(ground(61, 47)), method(Smoothing(4), tiling=Tiling(3))
    whole = predicted(scene, using, window_px=10**6)
    assert np.abs(predicted(scene, using, window_px=16) - whole).max() > 1e-3


def test_windows_begin_at_whole_strides_of_network_and_input():
    scene = ArrayScene(ground(41, 31), 3)
    predicted(scene, method(Smoothing(1), tiling=Tiling(5, align_px=4), factor=3), window_px=30)
    assert all(not n % 12 for at in scene.asked for n in (at.x, at.y, at.width, at.height))


@pytest.mark.parametrize("tiling", [HALO, Tiling(None, (24, 24), 1, 8)])
def test_what_has_no_value_stays_so_and_does_not_spread(tiling):
    image = ground(61, 47)
    image[10:14, 20:29, 0] = np.nan
    image[:30, 35:] = np.nan
    made = predicted(ArrayScene(image), method(Smoothing(1), tiling=tiling), window_px=None)
    np.testing.assert_array_equal(np.isnan(made).all(-1), np.isnan(image).any(-1))
    np.testing.assert_array_equal(np.isnan(made).any(-1), np.isnan(image).any(-1))


def test_a_scene_without_a_value_asks_nothing():
    asked = Smoothing(1)
    made = predicted(
        ArrayScene(np.full((20, 20, 2), np.nan, np.float32)), method(asked, tiling=HALO)
    )
    assert np.isnan(made).all() and not asked.calls


@pytest.mark.parametrize("length", [5, 24, 25, 31, 100, 257])
@pytest.mark.parametrize(("overlap", "align"), [(1, 1), (8, 1), (6, 3), (12, 6), (17, 6)])
def test_blended_windows_cover_all_and_their_weights_sum_to_one(length, overlap, align):
    starts = blended_starts(length, 24, overlap, align)
    assert starts[0] == 0 and 0 <= starts[-1] + 24 - length < max(align, 24 - length + 1)
    steps = np.diff(starts)
    assert (steps > 0).all() and (steps <= 24 - overlap).all()
    assert all(start % align == 0 for start in starts)
    total = np.zeros(starts[-1] + 24)
    for start, weights in zip(starts, blending(starts, 24, overlap), strict=True):
        assert (weights > 0).all()
        total[start : start + 24] += weights
    np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_cores_are_as_few_and_equal_as_they_can_be():
    assert core_side(10980, 512, 6) == 504 and core_side(10980, 512, 1) == 500
    assert core_side(100, 512, 6) == 102 and core_side(7, 2, 3) == 3


def test_a_blend_of_what_sees_no_window_is_the_one_pass():
    scene, tiling = ArrayScene(ground(61, 47)), Tiling(None, (24, 20), 1, 6)
    np.testing.assert_allclose(
        predicted(scene, method(Smoothing(0), tiling=tiling)), scene.image, atol=1e-6
    )


def test_across_a_seam_the_gradient_is_that_of_the_interior():
    """Each window of a network with a norm of its own lies a little higher or lower."""
    hilly = ground(400, 400) + 0.05 * ndimage.gaussian_filter(HILLS, (15, 15, 0)) * 30
    scene, tiling = ArrayScene(hilly.astype(np.float32)), Tiling(None, (64, 64), 1, 16)
    using = method(Standardising(1.0), tiling=tiling)
    made = strips(scene, using)
    image = np.concatenate([made[number] for number in range(len(made))])
    slopes = np.abs(np.diff(image, axis=0)).mean(axis=(1, 2))
    seams = np.zeros(len(slopes), bool)
    for start in made.layout.rows[1:]:  # where a window begins, and where the one above it ends
        seams[start - 1] = True
    for start in made.layout.rows[:-1]:
        seams[start + 64 - 1] = True
    blended = np.zeros(len(slopes), bool)
    for start, before in zip(made.layout.rows[1:], made.layout.rows, strict=False):
        blended[start - 1 : before + 64] = True
    assert slopes[seams].mean() == pytest.approx(slopes[~blended].mean(), rel=0.05)
    assert slopes[blended].mean() == pytest.approx(slopes[~blended].mean(), rel=0.05)
    # Windows that only meet do show.
    meeting = strips(scene, replace(using, tiling=Tiling(0)), window_px=64)
    hard = np.concatenate([meeting[number] for number in range(len(meeting))])
    ends = [start - 1 for start in meeting.layout.rows[1:]]
    assert np.abs(np.diff(hard, axis=0))[ends].mean() > 1.2 * slopes[~blended].mean()


def test_a_strip_is_the_same_wherever_one_begins():
    scene, tiling = ArrayScene(ground(150, 47)), Tiling(None, (24, 24), 1, 14)
    using = method(Standardising(), tiling=tiling)
    in_order = strips(scene, using)
    wanted = [in_order[number] for number in range(len(in_order))]
    assert len(wanted) > 10
    for number in (7, 2, len(wanted) - 1):
        np.testing.assert_array_equal(strips(scene, using)[number], wanted[number])


def test_rows_of_windows_are_predicted_once_and_not_kept_longer_than_needed():
    scene, tiling = ArrayScene(ground(300, 24)), Tiling(None, (24, 24), 1, 14)
    made = strips(scene, method(Standardising(), tiling=tiling))
    for number in range(len(made)):
        made[number]
        assert len(made._kept) <= 3
    assert len(scene.asked) == len(made)


def test_several_predictors_give_their_mean_and_spread():
    scene = ArrayScene(ground(30, 30))
    using = method(*(Standardising(share) for share in (0.0, 0.5, 1.0)), tiling=HALO)
    made = predicted(scene, using, window_px=64)
    each = [predicted(scene, method(one, tiling=HALO), window_px=64) for one in using.predictors]
    np.testing.assert_allclose(made[..., :2], np.mean(each, axis=0), atol=1e-6)
    np.testing.assert_allclose(made[..., 2:], np.std(each, axis=0, ddof=1), atol=1e-6)


@dataclass
class Forgetful(Smoothing):
    """Bears so many windows at once."""

    wrapped: bool = False

    def __call__(self, tiles, /):
        if len(tiles) > self.radius:
            cause = type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor")
            if self.wrapped:
                raise ModelContractError("cannot be given that") from cause
            raise cause
        return super().__call__(tiles)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_batch_that_memory_does_not_bear_is_halved_for_good(caplog, wrapped):
    scene, one = ArrayScene(ground(20, 200)), Forgetful(2, wrapped=wrapped)
    made = strips(scene, method(one, tiling=HALO, batch=8), window_px=20)
    assert np.isfinite(made[0]).all()
    assert made.batch_size == 2 and "8 windows at once: 4" in caplog.text
    with pytest.raises(InputError, match=r"does not bear a window of 28 x 28 pixels; --window-px"):
        predicted(scene, method(Forgetful(0), tiling=HALO), window_px=20)


class Broken(Smoothing):
    def __call__(self, tiles, /):
        return np.full_like(super().__call__(tiles), np.nan)


class Larger(Smoothing):
    def __call__(self, tiles, /):
        return super().__call__(tiles).repeat(2, 1)


@pytest.mark.parametrize(("one", "said"), [(Broken(1), "no numbers"), (Larger(1), "was to come")])
def test_what_a_model_must_not_make_is_said(one, said):
    with pytest.raises(ModelContractError, match=said):
        predicted(ArrayScene(ground(20, 20)), method(one, tiling=HALO))


def test_an_error_of_another_kind_is_not_taken_for_one_of_memory():
    with pytest.raises(ValueError, match="of mine"):
        predicted(ArrayScene(ground(20, 20)), method(Mistaken(1), tiling=HALO))


def test_windows_are_read_while_others_are_predicted_in_order_and_within_their_context():
    seen, known = [], ContextVar("known", default="")
    made = threading.Semaphore(0)
    known.set("kept open")

    def items():
        for number in range(4):
            seen.append((number, known.get(), threading.current_thread().name))
            made.release()
            yield number
        raise OSError("the disk is gone")

    taken = []
    with pytest.raises(OSError, match="the disk is gone"):
        for item in ahead(items()):
            for _ in range(2 if item == 0 else item < 3):  # the next one comes while this is here
                assert made.acquire(timeout=HANG_S)
            taken.append((item, len(seen)))
    assert taken == [(0, 2), (1, 3), (2, 4), (3, 4)]
    assert {one[1] for one in seen} == {"kept open"}
    assert {one[2] for one in seen} != {threading.current_thread().name}


class Mistaken(Smoothing):
    def __call__(self, tiles, /):
        raise ValueError("a mistake of mine")


def test_a_cut_grid_of_pixels_stays_a_grid():
    index = regular_index(12, 18, 6)
    pixels = np.arange(6, dtype=np.float32)[:, np.newaxis]
    xy = np.arange(12.0).reshape(6, 2)
    record = TileRecord("a", np.zeros((12, 18, 1), np.float32), pixels, xy, index)
    made = cut(record, 10, 12)
    assert grid_of(made.input_index) == (2, 2, 6)
    np.testing.assert_array_equal(made.input_pixels[:, 0], [0, 1, 3, 4])
    np.testing.assert_array_equal(made.input_xy, xy[[0, 1, 3, 4]])
    assert made.target.shape == (10, 12, 1)


@dataclass
class Waiting(Smoothing):
    """Predicts the last windows of a row when the first of the next have been asked for."""

    scene: Any = None
    below: int = 0
    seen: bool = False

    def __call__(self, tiles, /):
        if tiles[0].name.split()[1:] == ["20", "0"]:  # the last of the first row
            ends = time.monotonic() + HANG_S  # hangs no longer where nobody asks
            while not self.seen and time.monotonic() < ends:
                self.seen = any(place.y + 4 == self.below for place in self.scene.asked)
                time.sleep(0.01)
        return super().__call__(tiles)


def test_a_row_is_read_while_the_one_above_is_predicted_and_nothing_after_the_end():
    scene = ArrayScene(ground(60, 40))
    one = Waiting(4, scene=scene, below=20)
    made = strips(scene, method(one, tiling=HALO, batch=1), window_px=20)
    made[0]
    assert made.layout.rows == (0, 20, 40) and made.layout.columns == (0, 20)
    assert one.seen
    made.close()
    asked = len(scene.asked)
    np.testing.assert_array_equal(
        made[2], strips(scene, method(Smoothing(4), tiling=HALO), window_px=20)[2]
    )
    assert asked < 6 and sum(place.y + 4 == 40 for place in scene.asked) == 4
