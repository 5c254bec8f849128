"""The reader: order, restart, filters, geometry, and bit-equal values on both of its paths."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset import record_cache
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.order import looked_at, sample_at
from sensor2sensor.dataset.recordfile import RecordRef, list_records
from sensor2sensor.dataset.upsampling import upsample as on_grid
from sensor2sensor.pipeline.augmentation import AugmentSpec, Picture, augment, fit
from sensor2sensor.pipeline.batching import ReaderOptions, bounds
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.pipeline.reader import fixed_batches, iterate_tiles, training_batches
from tests.fakes_dataset import glinting, make_dataset


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("toys")
    common = {"tile_px": 32, "train": 5, "val": 3, "test": 2}
    return {
        "degraded": make_dataset(root, factor=6, **common),
        "sentinel3": make_dataset(root, name="cur_toy", kind="sentinel3", **common),
    }


OPTIONS = {
    "plain": ReaderOptions(batch_size=2, seed=3),
    "turned": ReaderOptions(batch_size=2, seed=3, random_rotate=True),
    "resized": ReaderOptions(batch_size=2, seed=3, random_rotate=True, random_resize=1.4),
    "cropped": ReaderOptions(
        batch_size=2, seed=3, random_crop=True, img_height=16, img_width=24, random_rotate=True
    ),
    "scaled": ReaderOptions(batch_size=2, seed=3, img_height=48, img_width=40),
}


def _take(
    folder: Path, options: ReaderOptions, n: int, kind: str | None = "symmetric", start: int = 0
) -> list[dict[str, np.ndarray]]:
    contract = load_contract(folder)
    normalisation = Normalisation(kind, contract) if kind else None
    batches = training_batches(folder, contract, normalisation, options, start_step=start)
    return [{k: v.numpy() for k, v in batch.items()} for batch in batches.take(n)]


@pytest.mark.parametrize("case", OPTIONS)
@pytest.mark.parametrize("toy", ["degraded", "sentinel3"])
def test_a_run_may_start_at_any_step(toys: dict[str, Path], toy: str, case: str) -> None:
    whole = _take(toys[toy], OPTIONS[case], 7)
    rest = _take(toys[toy], OPTIONS[case], 3, start=4)
    for a, b in zip(whole[4:], rest, strict=True):
        for key in a:
            assert np.array_equal(a[key], b[key])
    for batch in whole:
        assert np.isfinite(batch["input"]).all() and np.isfinite(batch["target"]).all()
        options = OPTIONS[case]
        shape = (2, options.img_height or 32, options.img_width or 32)
        assert batch["input"].shape[:3] == batch["target"].shape[:3] == shape


def test_order_is_the_pure_function_and_batches_cross_epochs(toys: dict[str, Path]) -> None:
    options = replace(OPTIONS["plain"], batch_size=3)
    found = np.concatenate([b["index"] for b in _take(toys["degraded"], options, 5)])
    assert found.tolist() == [sample_at(3, k, 5)[2] for k in range(15)]


def test_values_are_those_of_the_records(toys: dict[str, Path]) -> None:
    folder = toys["sentinel3"]
    tiles = list(iterate_tiles(folder, load_contract(folder), "train"))
    for batch in _take(folder, OPTIONS["plain"], 3, kind=None):
        for place, index in enumerate(batch["index"]):
            assert np.array_equal(batch["target"][place], tiles[index].target)
            assert np.array_equal(batch["input"][place], on_grid(tiles[index], "nearest"))


@pytest.mark.parametrize("toy", ["degraded", "sentinel3"])
@pytest.mark.parametrize("case", ["turned", "resized", "cropped", "cropped and resized"])
def test_both_paths_give_equal_bits(
    toys: dict[str, Path], toy: str, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved as a table and a map, a picture is what it is when moved pixel by pixel."""
    cut = replace(OPTIONS["cropped"], random_resize=(1.2, 1.6))
    options = cut if case == "cropped and resized" else OPTIONS[case]
    mapped = _take(toys[toy], options, 4)
    monkeypatch.setattr(Normalisation, "elementwise", False)
    for a, b in zip(mapped, _take(toys[toy], options, 4), strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key])


def test_a_resumed_run_reads_nothing_of_what_came_before(
    toys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However late it goes on: a million steps on, the first record read is the first needed."""
    read: list[str] = []
    real = record_cache.read_record

    def noted(ref: RecordRef) -> bytes:
        read.append(ref.name)
        return real(ref)

    monkeypatch.setattr(record_cache, "read_record", noted)
    (batch,) = _take(toys["degraded"], OPTIONS["resized"], 1, start=1_000_000)
    names = [ref.name for ref in list_records(toys["degraded"], "train")]
    assert set(batch["index"]) == {sample_at(3, 2_000_000 + k, 5)[2] for k in range(2)}
    assert {names[i] for i in batch["index"]} <= set(read)
    assert len(read) < 100  # what is read ahead


def test_records_are_read_beside_each_other_on_any_number_of_cores(
    toys: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share answers late, not slowly: sixteen have to be under way for one to go on.

    As in a training on a CPU, whose operations are to be deterministic.
    """
    tf.random.set_seed(0)
    tf.config.experimental.enable_op_determinism()
    together, met, real = threading.Barrier(16), threading.Event(), record_cache.read_record

    def waits(ref: RecordRef) -> bytes:
        if not met.is_set():
            together.wait(timeout=20)
            met.set()
        return real(ref)

    monkeypatch.setattr(record_cache, "read_record", waits)
    folder = toys["degraded"]
    contract, options = load_contract(folder), replace(OPTIONS["turned"], batch_size=1, reads=16)
    assert next(iter(training_batches(folder, contract, None, options)))["index"] >= 0
    assert met.is_set()


def test_bicubic_equals_that_of_the_records(toys: dict[str, Path]) -> None:
    folder = toys["degraded"]
    tiles = {tile.name: tile for tile in iterate_tiles(folder, load_contract(folder), "val")}
    options = replace(OPTIONS["plain"], input_upsampling="bicubic")
    for batch in fixed_batches(folder, load_contract(folder), None, options, split="val"):
        for place, name in enumerate(batch["name"].numpy()):
            wanted = on_grid(tiles[name.decode()], "bicubic")
            np.testing.assert_allclose(batch["input"][place], wanted, atol=1e-6)


def test_fixed_batches_are_ordered_and_keep_the_last_partial_one(toys: dict[str, Path]) -> None:
    folder = toys["degraded"]
    contract = load_contract(folder)
    options = replace(OPTIONS["resized"], batch_size=2)
    batches = list(fixed_batches(folder, contract, None, options, split="val"))
    names = [name.decode() for batch in batches for name in batch["name"].numpy()]
    assert names == [ref.name for ref in list_records(folder, "val")]
    assert [len(batch["index"]) for batch in batches] == [2, 1]
    tiles = list(iterate_tiles(folder, contract, "val"))
    assert np.array_equal(batches[1]["target"][0], tiles[2].target)  # not augmented
    limited = fixed_batches(folder, contract, None, replace(options, sample=1), split="val")
    assert sum(len(batch["index"]) for batch in limited) == 1


def test_validation_tiles_are_drawn_and_the_same_for_every_seed(toys: dict[str, Path]) -> None:
    """Else curves of two seeds would differ by their tiles. The first by name lie side by side."""
    folder = toys["degraded"]
    contract = load_contract(folder)

    def drawn(seed: int) -> list[int]:
        options = replace(OPTIONS["plain"], sample=2, seed=seed)
        batches = fixed_batches(folder, contract, None, options, split="val")
        return [i for batch in batches for i in batch["index"].numpy().tolist()]

    assert {tuple(drawn(seed)) for seed in range(8)} == {tuple(looked_at(3, 2))}
    assert looked_at(100, 4).tolist() != [0, 1, 2, 3]


def test_the_truth_of_fixed_batches_is_whole_where_targets_are_clipped(
    tmp_path: Path,
) -> None:
    """And training batches, whose fields a model may take, hold none."""
    folder = make_dataset(tmp_path, tile_px=32, train=2, val=3, test=1, picture=glinting)
    contract = load_contract(folder)
    normalisation = Normalisation("symmetric", contract, (-0.5, 0.5))
    tiles = list(iterate_tiles(folder, contract, "val"))
    (batch,) = fixed_batches(
        folder, contract, normalisation, replace(OPTIONS["plain"], batch_size=3), split="val"
    )
    assert np.array_equal(batch["truth"], np.stack([tile.target for tile in tiles]))
    assert np.abs(batch["target"]).max() == 0.5
    assert np.abs(batch["truth"] - normalisation.restore(batch["target"])).max() > 0.1
    assert "truth" not in _take(folder, OPTIONS["plain"], 1)[0]


def test_sampling_is_fixed_by_the_seed(toys: dict[str, Path]) -> None:
    options = replace(OPTIONS["plain"], sample=2)
    seen = {i for batch in _take(toys["degraded"], options, 6) for i in batch["index"].tolist()}
    assert len(seen) == 2
    assert {i for b in _take(toys["degraded"], options, 6) for i in b["index"].tolist()} == seen


def test_the_capbounds_what_is_in_flight() -> None:
    for cap in (1, 8, 20, 40, 500):
        for batch in (1, 4, 16):
            parallel, ready = bounds(ReaderOptions(batch_size=batch, decoded_cap=cap))
            held = parallel + (2 + ready) * batch
            assert parallel >= 1 and held <= max(cap, 2 * batch + 1)


def test_a_window_larger_than_the_tile_is_refused(toys: dict[str, Path]) -> None:
    options = replace(OPTIONS["cropped"], img_height=64)
    with pytest.raises(ConfigError, match="cannot cut 64 x 24"):
        _take(toys["degraded"], options, 1)


# --- augmentation -------------------------------------------------------------------------------


def _symmetries(picture: np.ndarray) -> list[bytes]:
    turned = [np.rot90(picture, k) for k in range(4)]
    return [p.tobytes() for q in turned for p in (q, q[:, ::-1])]


def test_all_eight_symmetries_occur_and_nothing_else() -> None:
    picture = np.arange(16, dtype=np.float32).reshape(4, 4, 1)
    spec = AugmentSpec(4, 4, random_rotate=True)
    seen = set()
    for i in range(80):
        image, target = augment(tf.constant(picture), tf.constant(picture + 100), (i, 1), spec)
        assert np.array_equal(image + 100, target)  # one draw for both
        seen.add(image.numpy().tobytes())
    assert seen == set(_symmetries(picture))


def test_oblong_pictures_have_four_symmetries_and_flip_has_two() -> None:
    picture = np.arange(8, dtype=np.float32).reshape(2, 4, 1)
    for spec, count in (
        (AugmentSpec(2, 4, random_rotate=True), 4),
        (AugmentSpec(2, 4, random_rotate="flip"), 2),
        (AugmentSpec(2, 4, random_rotate=False), 1),
    ):
        seen = {
            augment(tf.constant(picture), tf.constant(picture), (i, 2), spec)[0].numpy().tobytes()
            for i in range(60)
        }
        assert len(seen) == count
    assert picture[:, ::-1].tobytes() in {
        augment(
            tf.constant(picture),
            tf.constant(picture),
            (i, 2),
            AugmentSpec(2, 4, random_rotate="flip"),
        )[0]
        .numpy()
        .tobytes()
        for i in range(60)
    }


def test_enlargement_is_random_up_to_the_factor_and_the_same_for_all_pictures() -> None:
    ramp = np.tile(np.linspace(0, 1, 32, dtype=np.float32)[None, :, None], (32, 1, 1))
    spec = AugmentSpec(32, 32, random_resize=1.5)
    slopes = []
    for i in range(60):
        image, target = augment(tf.constant(ramp), tf.constant(ramp * 2), (i, 3), spec)
        np.testing.assert_allclose(image * 2, target, atol=1e-6)
        slopes.append((1 / 31) / float(np.diff(image[16, 8:24, 0]).mean()))
    assert 1.0 <= min(slopes) < 1.1 and 1.4 < max(slopes) <= 1.52


def test_enlargement_by_two_equal_factors_is_always_that_one_and_the_crop_alone_is_drawn() -> None:
    rows = np.tile(np.arange(256, dtype=np.float32)[:, None, None], (1, 256, 1))
    spec = AugmentSpec(256, 256, random_resize=(286 / 256, 286 / 256))
    whole = tf.image.resize(rows, (286, 286)).numpy()
    tops = set()
    for i in range(40):
        image, _ = augment(tf.constant(rows), tf.constant(rows), (i, 5), spec)
        tops.add(top := int(np.argmin(np.abs(whole[:, 0, 0] - image[0, 0, 0]))))
        np.testing.assert_array_equal(image[:, 0, 0], whole[top : top + 256, 0, 0])
    assert min(tops) < 4 and max(tops) > 26 and len(tops) > 15


def test_images_are_bilinear_and_masks_nearest() -> None:
    mask = np.random.default_rng(0).integers(0, 5, (16, 16, 1)).astype(np.int32)
    image = np.random.default_rng(1).normal(size=(16, 16, 2)).astype(np.float32)
    spec = AugmentSpec(16, 16, random_resize=1.7)
    extras = [Picture(tf.constant(mask), "nearest")]
    _, _, turned = augment(tf.constant(image), tf.constant(image), (1, 4), spec, extras)
    assert turned.dtype == tf.int32 and set(np.unique(turned)) <= set(np.unique(mask))


def test_a_mask_made_smaller_lies_half_a_stored_pixel_up_and_left() -> None:
    later = []
    for first in (31, 32):  # edges of either parity
        edge = tf.constant((np.arange(64) >= first).astype(np.float32)[:, None, None])
        whole = AugmentSpec(32, 1)
        image, mask = (fit(Picture(edge, how), whole, (0, 0)) for how in ("bilinear", "nearest"))
        later.append(float(tf.reduce_sum(mask) - tf.reduce_sum(image)))
    assert np.mean(later) == 0.25  # of a new pixel, of two stored ones


def test_windows_reach_every_corner() -> None:
    picture = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
    spec = AugmentSpec(2, 2, random_crop=True)
    starts = {
        float(augment(tf.constant(picture), tf.constant(picture), (i, 5), spec)[0][0, 0, 0])
        for i in range(60)
    }
    assert starts == {0.0, 1.0, 3.0, 4.0}
