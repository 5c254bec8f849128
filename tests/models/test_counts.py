"""Published parameter counts, cost and sizes of every network at 256 pixels, each measured alone.

The numbers are those measured on the original's own networks. Where its port is broken and the
model here follows the paper, the difference is worked out beside the number.
"""

from __future__ import annotations

import pytest

from model_tools import measure, table
from model_tools.measure import measured
from models.loading import list_models

pytestmark = pytest.mark.slow

# Global attention: 192 -> 64 -> 192 instead of 192 -> 16 -> 192 and a transposed 192 x 192.
SRS3 = 2 * 192 * 64 - (2 * 192 * 16 + 192 * 192)
# Eleven learned vectors of 32 factors in each of 16 blocks, where the port draws random numbers.
TARSGAN = 16 * 11 * 32

GENERATORS = {
    "aris-a": ({3: 55_247_136, 21: 55_563_936}, {3: 10_880, 21: 10_880}),
    "aris-b": ({3: 55_393_888, 21: 55_419_808}, {3: 10_880, 21: 10_880}),
    "aris-c": ({3: 54_991_808, 21: 55_308_608}, {3: 10_880, 21: 10_880}),
    "sis3-b": ({3: 55_406_560, 21: 55_432_480}, {3: 10_880, 21: 10_880}),
    "pix2pix": ({3: 54_414_976, 21: 54_433_408}, {3: 10_880, 21: 10_880}),
    # Of published trainings on masks, which have three bands; 21 bands: 18 more of 7 x 7 to 64.
    "resnet_pix2pix": (
        {3: 11_383_427, 21: 11_383_427 + 18 * 49 * 64},
        {3: 10_496, 21: 10_496},
    ),
    "psgan": ({3: 1_775_142, 21: 1_780_362}, {3: 6, 21: 42}),
    "srgan": ({3: 1_065_344, 21: 1_158_656}, {3: 1_536, 21: 1_536}),
    "srs3": ({3: 104_352 + SRS3, 21: 421_152 + SRS3}, {3: 0, 21: 0}),
    "dmnet": ({3: 895_040, 21: 905_408}, {3: 0, 21: 0}),
    "dsen2w": ({3: 1_332_177, 21: 1_353_399}, {3: 1_536, 21: 1_536}),
    "tarsgan": ({3: 6_646_545 + TARSGAN, 21: 6_652_215 + TARSGAN}, {3: 0, 21: 0}),
}


def _flattened(per_pixel_heads: int, sides_px: int, channels: int, units: int) -> int:
    """What a head over the whole image has more than the port's heads per pixel."""
    return sides_px**2 * channels * units + units + units + 1 - per_pixel_heads


PATCHGAN = ({3: 2_768_640, 21: 2_787_072}, 1_792, [30, 30, 1])
_SRGAN = _flattened(512 * 1024 + 1024 + 1024 * 10 + 10, 8, 512, 1024)
_DSEN2W = _flattened(1024 * 1024 + 1024 + 1024 * 10 + 10, 8, 1024, 1024)
_TARSGAN = _flattened(2 * (512 * 512 + 512), 16, 512, 512)
DISCRIMINATORS = {
    **dict.fromkeys(("aris-a", "aris-b", "aris-c", "sis3-b", "pix2pix", "srs3", "dmnet"), PATCHGAN),
    # As PATCHGAN, with biases in the first and the last layer.
    "resnet_pix2pix": ({3: 2_768_705, 21: 2_787_137}, 1_792, [30, 30, 1]),
    "psgan": ({3: 391_104, 21: 396_288}, 0, [32, 32, 1]),
    "srgan": ({3: 5_261_450 + _SRGAN, 21: 5_271_818 + _SRGAN}, 3_840, [1, 1, 1]),
    "dsen2w": ({3: 19_908_618 + _DSEN2W, 21: 19_918_986 + _DSEN2W}, 7_808, [1, 1, 1]),
    "tarsgan": ({3: 5_214_208 + _TARSGAN, 21: 5_224_576 + _TARSGAN}, 3_712, [1, 1, 1]),
}


def _saved_mib(channels: int, blocks: int = 1) -> float:
    """What the layers of a dense block of the port put out and those of ours do not.

    The port joins its maps pair by pair, and every join is a tensor: 1, 2, 3 and 4 of them after
    the four convolutions. Here each is one join, which saves 0, 1, 2 and 3.
    """
    spared = 6 * channels + 32 * (1 + (1 + 2) + (1 + 2 + 3))
    return blocks * spared * 256**2 * 4 / 2**20


# Multiply-accumulates in 10⁹ and MiB of all layer outputs, as measured on the original. Not for
# srs3, whose attention there is another; sis3-b was not measured.
COST = {
    "aris-a": ({3: 44.9, 21: 65.7}, {3: 1155 - _saved_mib(256), 21: 1159 - _saved_mib(256)}),
    "aris-b": ({3: 54.5, 21: 56.2}, {3: 522 - _saved_mib(3), 21: 572 - _saved_mib(21)}),
    "aris-c": ({3: 36.3, 21: 57.0}, {3: 995 - _saved_mib(192), 21: 999 - _saved_mib(192)}),
    "pix2pix": ({3: 6.0, 21: 6.4}, {3: 59, 21: 63}),
    "psgan": ({3: 20.9, 21: 21.2}, {3: 299, 21: 308}),
    "srgan": ({3: 7.3, 21: 8.8}, {3: 108, 21: 113}),
    "dmnet": ({3: 58.6, 21: 59.3}, {3: 642, 21: 646}),
    "dsen2w": ({3: 87.2, 21: 88.6}, {3: 1188, 21: 1206}),
    "tarsgan": (
        {3: 435.6, 21: 436.0},
        {3: 17306 - _saved_mib(32, 48), 21: 17315 - _saved_mib(32, 48)},
    ),
}
BANDS = (3, 21)


def test_every_model_has_its_numbers_here():
    # Not of the original: their numbers are their own (carn, rrdb: test_carn_rrdb.py).
    others = set(list_models()) - {"edsr", "dsen2cr", "carn", "rrdb", "registration"}
    assert set(GENERATORS) == set(DISCRIMINATORS) == others


@pytest.fixture(scope="module", autouse=True)
def one_process():
    """The cores are busy with other tests: a second one would only load TensorFlow once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "PROCESSES", 1)
        yield


@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_the_generator_has_the_published_size(name, bands):
    found = measured()[name][bands]["generator"]
    trainable, fixed = GENERATORS[name]
    assert (found["trainable"], found["fixed"]) == (trainable[bands], fixed[bands])
    assert found["output"] == [256, 256, 3]


@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_discriminator_has_the_published_size(name, bands):
    found = measured()[name][bands]["discriminator"]
    trainable, fixed, output = DISCRIMINATORS[name]
    assert (found["trainable"], found["fixed"], found["output"]) == (
        trainable[bands], fixed, output,
    )  # fmt: skip


@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("name", COST)
def test_it_costs_what_the_original_was_measured_to_cost(name, bands):
    found = measured()[name][bands]
    gmac, activation_mib = COST[name]
    assert found["gmac"] == pytest.approx(gmac[bands], abs=0.1)
    assert found["activation_mib"] == pytest.approx(activation_mib[bands], rel=0.01)


def test_a_patchgan_sees_seventy_pixels():
    assert measured()["pix2pix"][3]["discriminator"]["field_px"] == 70


def test_the_documentation_of_models_is_fresh():
    outdated = [path.name for path in table.differences(table.pages(measured()))]
    assert not outdated, f"run: {table.COMMAND}"
