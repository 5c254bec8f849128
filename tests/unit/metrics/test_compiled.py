"""The compiled metrics: in a ``tf.function``, traced once, equal to the operations run eagerly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.config.vocabulary import TABLES
from sensor2sensor.core.errors import InputError
from sensor2sensor.metrics import REGISTRY, compute, profile_metrics
from sensor2sensor.metrics.compute import compiled
from sensor2sensor.metrics.inputs import check, prepare
from tests.unit.metrics import oracles

RANGES = np.array([[0.02, 0.5], [0.03, 0.62], [0.0, 0.7], [0.1, 0.4]])
COLOUR = (2, 1, 0)
ASK_MORE = {"ms_ssim", "lpips"}  # pixels, weights
SIZES = {"batch": [None, 40, 40], "batch and size": [None, None, None]}


def images(count, bands=4):
    truth = np.stack([oracles.texture(i, (40, 40, bands)) for i in range(count)])
    guess = np.stack([oracles.texture(i + 50, (40, 40, bands)) for i in range(count)])
    return truth, (0.8 * truth + 0.2 * guess).astype(np.float32)


def options(bands, **others):
    return {"value_ranges": RANGES[:bands], "factor": 6.0, **others}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("profile", "bands"), [("standard", 1), ("standard", 3), ("arisgan", 3), ("arisgan", 4)]
)
@pytest.mark.slow
def test_every_metric_runs_inside_a_function_of_unknown_batch_size(profile, size, bands):
    colour = COLOUR if bands == 3 else None
    asked = options(bands, profile=profile, colour=colour)
    spec = tf.TensorSpec([*SIZES[size], bands], tf.float32)
    outer = tf.function(lambda a, b: compute(a, b, **asked), input_signature=[spec, spec])
    pair = images(3, bands)
    inside, outside = outer(*pair), compute(*pair, **asked)
    assert set(inside) == set(profile_metrics(profile, colour=colour is not None))
    for name, values in inside.items():
        np.testing.assert_allclose(values, outside[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_graph_equals_the_operations_run_one_by_one():
    truth, guess = images(3)
    truth[0, 5:9] = np.nan
    guess[1, 3, 3] = np.inf
    a, b, ranges = check(truth, guess, RANGES)
    inputs, scorable = prepare(a, b, tf.constant(ranges), tf.constant(6.0, tf.float64), COLOUR)
    assert list(scorable.numpy()) == [True, False, True]
    inputs = replace(inputs, red_nir=(2, 3))
    for profile, table in TABLES.items():
        names = tuple(name for name in table if name not in ASK_MORE)
        asked = options(4, colour=COLOUR, red_nir=(2, 3), names=names, profile=profile)
        for name, values in compute(truth, guess, **asked).items():
            expected = np.where(scorable, REGISTRY[name](inputs), np.nan)
            np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12, err_msg=name)


def test_batch_size_ranges_and_factor_cost_no_new_trace():
    truth, guess = images(5, 3)
    chosen = ("hpsi", "sam", "uiqi")
    graph = compiled("standard", chosen, (40, 40, 3), COLOUR, False)
    for count, wide, factor in ((4, 1.0, 6.0), (1, 1.0, 6.0), (5, 2.0, 30.0)):
        asked = {"value_ranges": wide * RANGES[:3], "factor": factor, "colour": COLOUR}
        compute(truth[:count], guess[:count], names=chosen, **asked)
    assert graph.experimental_get_tracing_count() == 1


def test_the_bits_of_a_score_do_not_follow_what_else_is_scored():
    truth, guess = images(11)
    truth[1, 5:9], guess[5, 3, 3] = np.nan, np.inf
    parts = np.stack([oracles.texture(90 + i, (40, 40, 1))[..., 0] > 0.3 for i in range(11)])
    found = {}
    for profile, table in TABLES.items():
        names = tuple(name for name in table if name not in ASK_MORE)
        given = {"colour": COLOUR, "red_nir": (2, 3), "profile": profile, "names": names}
        for chosen in ([1], [3], range(11), (4, 3), (10, 9, 8, 7, 6, 3, 2, 1)):
            some = list(chosen)
            part = {"within": parts[some]} if profile == "dsen2cr" else {}
            scores = compute(truth[some], guess[some], **options(4, **given, **part))
            for name, values in scores.items():
                for image, value in zip(some, values.numpy(), strict=True):
                    known = found.setdefault((profile, name, image), value)
                    assert value.tobytes() == known.tobytes(), (profile, name, image, some)


def test_an_image_without_known_bands_is_refused():
    spec = tf.TensorSpec([None] * 4, tf.float32)
    outer = tf.function(lambda a, b: compute(a, b, **options(3)), input_signature=[spec, spec])
    with pytest.raises(InputError, match="known C"):
        outer(*images(1, 3))
