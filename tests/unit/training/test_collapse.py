"""What the rows of a log tell of a collapse, and what they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensor2sensor.training.collapse import SURE_STEPS, Held, Signs, in_words
from sensor2sensor.training.spread import BETWEEN, SPREAD, Spread

BCE, LSGAN, RAGAN = {"disc_bce": 1.0}, {"disc_lsgan": 1.0}, {"disc_ragan": 1.0}
HELD = Held("bicubic", {"psnr": 25.0, "l1": 0.1, "scc": 0.5}, frozenset({"psnr", "scc"}))


def signs_of(rows, losses=BCE, judged_from=0, held=None):
    signs = Signs(losses, judged_from=judged_from, compared_from=500)
    signs.held = held
    return [(row["step"], found["sign"]) for row in rows for found in signs.read(row)], signs


def judged(real, fake, steps=range(20, 301, 20), **further):
    row = {"kind": "train", "disc_real": real, "disc_fake": fake, **further}
    return [{"step": step, **row} for step in steps]


def looks(values, name=SPREAD):
    return [{"step": 100 * n, "kind": "val", name: v} for n, v in enumerate(values, start=1)]


def test_a_discriminator_that_is_sure_for_long_is_told_of_once_with_what_to_read():
    told, signs = signs_of(judged(8.0, -9.5, gen_adversarial_share=0.031))
    assert told == [(20 + SURE_STEPS, "saturated")]
    assert in_words(signs.told[0]) == (
        "step 120: the discriminator is saturated: for 100 steps its log-odds are +8.0 for true"
        " images and -9.5 for made ones; it has 3% of the generator's gradient; see"
        " docs/troubleshooting.md#the-discriminator-is-saturated"
    )


@pytest.mark.parametrize(
    ("rows", "losses", "judged_from"),
    [
        (judged(2.8, -2.5), BCE, 0),  # a sound pix2pix on maps
        (judged(9.0, 0.5), BCE, 0),  # the generator still passes for true
        (judged(9.0, -9.0, range(20, 101, 20)) + judged(1.0, -1.0, [120]), BCE, 0),  # for a while
        (judged(9.0, -9.0), LSGAN, 0),  # answers are no log-odds
        (judged(9.0, -9.0), {"disc_bce": 0.0, "disc_lsgan": 1.0}, 0),
        (judged(9.0, -9.0), BCE, 1000),  # nobody answers it during the warm-up
        (judged(None, None), BCE, 0),  # not finite in the log
        ([{"step": 900, "kind": "train", "gen": 1.0}], BCE, 0),  # a module of ARISGAN's
    ],
)
def test_a_discriminator_is_not_called_saturated(rows, losses, judged_from):
    assert signs_of(rows, losses, judged_from)[0] == []


def test_a_relativistic_discriminator_is_told_by_the_difference_alone():
    assert signs_of(judged(14.0, 3.0), RAGAN)[0] == [(120, "saturated")]
    assert signs_of(judged(6.0, 3.0), RAGAN)[0] == []


def test_an_output_that_hardly_varies_at_two_looks_is_told_of():
    assert signs_of(looks([0.01, 0.7, 0.04, 0.03, 0.02]))[0] == [(400, "constant")]
    assert signs_of(looks([0.06, 0.06, 0.06]))[0] == []
    assert signs_of(looks([math.nan, None, math.nan]))[0] == []
    _, signs = signs_of(looks([0.0, 0.0], BETWEEN))
    assert "is the same for every tile: it varies by 0.0% of" in in_words(signs.told[0])


def look(step, **scores):
    return [{"step": step, "kind": "val", **scores}]


def test_worse_than_the_baseline_means_by_every_metric_and_late():
    worse = {"psnr": 20.0, "l1": 0.2, "scc": 0.1}
    assert signs_of(look(400, **worse), held=HELD)[0] == []
    told, signs = signs_of(look(500, **worse), held=HELD)
    assert told == [(500, "worse")]
    assert "bicubic by every metric: psnr 20 against 25, l1 0.2 against 0.1" in in_words(
        signs.told[0]
    )
    for better in ({"psnr": 26.0}, {"l1": 0.05}, {"scc": 0.6}):
        assert signs_of(look(500, **worse | better), held=HELD)[0] == []
    assert signs_of(look(500, **worse | {"scc": None}), held=HELD)[0] == [(500, "worse")]
    assert signs_of(look(500, psnr=None), held=HELD)[0] == []


def test_the_spread_is_that_of_the_flattest_band_that_the_target_has():
    draw = np.random.default_rng(0)
    true = draw.normal(size=(6, 8, 8, 3)).astype(np.float32) + np.arange(6)[:, None, None, None]
    true[..., 2] = 0.25  # calm water
    made = true * [1.0, 0.02, 0.0]
    spread = Spread(np.ones(3))
    spread.add(made[:4], true[:4])
    spread.add(made[4:], true[4:])
    assert spread.shares() == pytest.approx({SPREAD: 0.02, BETWEEN: 0.02}, rel=1e-4)
    true[0, 0, 0, 0] = math.nan  # no truth: that pixel counts for neither
    same = np.repeat(true[1:2], 6, axis=0)
    same[0, 0, 0, 0] = 1e9
    spread = Spread(np.ones(3))
    spread.add(same, true)
    found = spread.shares()
    assert found[BETWEEN] < 0.05 < 0.4 < found[SPREAD] < 0.6
    assert Spread(np.ones(3)).shares() == {}
