"""The benchmark against a plain step: both sides are one network, and its bounds can be missed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import train_step
from benchmarks.curves import compared
from benchmarks.plain import PlainGAN
from benchmarks.sides import FLOAT32, LOSSES, OLCI_BANDS, Case, Side, batches_of


@pytest.mark.parametrize(("model", "channels"), [("pix2pix", 3), ("aris-a", OLCI_BANDS)])
def test_both_sides_have_the_same_network(model: str, channels: int, tmp_path: Path) -> None:
    width = {"width": 0.1}
    plain = PlainGAN(model, 64, (channels, 3), LOSSES[model], **width, logs=tmp_path)
    ours = Side(FLOAT32, Case(model, 64, 2, channels, width)).gan
    for network in ("generator", "discriminator"):
        shapes = [
            sorted(tuple(w.shape) for w in getattr(gan, network).trainable_variables)
            for gan in (plain, ours)
        ]
        assert shapes[0] == shapes[1]
    batch = batches_of(Case(model, 64, 2, channels), 1)[0]
    for left, right in zip(
        plain.generator.trainable_variables, ours.generator.trainable_variables, strict=True
    ):
        left.assign(right)
    # By layers as well: the same weights give the same picture where no order of sums differs.
    outputs = [gan.generator(batch[0], training=False).numpy() for gan in (plain, ours)]
    assert abs(outputs[0] - outputs[1]).max() < 1e-5 * abs(outputs[1]).max() + 1e-7


def test_curves_are_held_against_the_noise_of_seeds() -> None:
    runs = [[9.0, 1.0], [9.0, 1.1], [9.0, 0.9]]
    near = compared({"float32": runs, "bfloat16": [[9.0, 1.05]] * 3}, "float32")
    assert math.isclose(near["deviations"]["bfloat16"], 0.5) and near["within"]
    far = compared({"float32": runs, "bfloat16": [[9.0, 1.3]] * 3}, "float32")
    assert math.isclose(far["deviations"]["bfloat16"], 3.0) and not far["within"]


def test_what_misses_a_bound_is_named() -> None:
    def steps(float32: float, bfloat16: float) -> dict:
        faster = {"float32": float32, "bfloat16": bfloat16}
        return {"a": {"times_faster_than_plain": faster}}

    sound = {"bfloat16_in_cpu": ["amx_bf16"], "steps": steps(1.0, 1.5)}
    assert train_step.missed(sound) == []
    slow = {**sound, "steps": steps(0.9, 1.3), "curves": {"within": False}}
    assert train_step.missed(slow) == [
        "a: float32 is slower than plain",
        "a: bfloat16 is not 1.4 times faster than plain",
        "bfloat16 leaves the noise of seeds",
    ]
    assert train_step.missed({**sound, "bfloat16_in_cpu": [], "steps": steps(1.0, 0.8)}) == []
