"""Back-projection in several steps: nearer to what was measured with each, where that is sound."""

from __future__ import annotations

import numpy as np
import pytest

from models.loading import load_gan_class
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline import psf
from tests.models.test_own_grid_models import FEW, L1, experiment, picture, tiny


def test_each_step_comes_nearer_to_what_was_measured():
    mtf, truth = psf.mtf_of(list(FEW)), psf.blur(picture(1, 64, 64, 3), 1.5).numpy()
    low, errors = psf.degrade(truth, 2, mtf).numpy(), []
    for steps in (True, 2, 4, 8):
        made = tiny("carn", params={"low_frequency": steps, "base": "input"}).generator(low)
        errors.append(float(np.sqrt(np.mean((psf.degrade(made, 2, mtf) - low) ** 2))))
    assert errors[1] < 0.7 * errors[0] and errors[2] < 0.7 * errors[1] and errors[3] < errors[2]
    assert errors[3] < 0.25 * errors[0]


def test_on_the_targets_grid_there_is_one_step():
    """There a blur is undone, not a sensor's: real images got worse from the fourth step on."""
    options = {"gen_loss": L1, "discriminator": None, "input_upsampling": "bicubic"}
    exp = experiment(params={"blocks": 1, "width": 0.07, "low_frequency": 4}, **options)
    with pytest.raises(ConfigError, match="4 steps need an input on its own grid"):
        load_gan_class("edsr")(exp)


@pytest.mark.parametrize("value", [1, 9, "true", 0])
def test_what_is_no_number_of_steps_is_refused(value):
    with pytest.raises(ConfigError, match="must be False, True, 2, 3, 4, 5, 6, 7 or 8, not"):
        tiny("carn", params={"low_frequency": value})
