"""The point spread function: its MTF is measured by waves, and the published cut repeated."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.pipeline import bicubic, psf


def seen_at_nyquist(factor, mtf, **options):
    """What is left of the finest wave a coarse grid holds, its crests at coarse centres."""
    size = 32 * factor
    wave = np.cos(np.pi * (np.arange(size) - (factor - 1) / 2) / factor)
    image = np.broadcast_to(wave[None, None, :, None], (1, size, size, 1)).astype(np.float32)
    small = psf.degrade(image, factor, mtf, **options)
    return np.abs(np.asarray(small)[0, 16, 10:22, 0]).mean()


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("mtf", [0.1, 0.2, 0.5])
def test_the_mtf_at_nyquist_is_the_nominal_one_within_a_hundredth(factor, mtf):
    assert seen_at_nyquist(factor, mtf) == pytest.approx(mtf, rel=0.01)


# sisr fact sheet, 1.4: what a kernel of 7 x 7 pixels has left of the nominal MTF.
@pytest.mark.parametrize(
    ("factor", "mtf", "cut"),
    [
        *((2, 0.1, 0.093), (2, 0.2, 0.199), (2, 0.4, 0.4)),
        *((4, 0.1, 0.282), (4, 0.2, 0.336), (4, 0.4, 0.454)),
    ],
)  # fmt: skip
def test_a_kernel_cut_at_three_pixels_has_the_published_mtf(factor, mtf, cut):
    kernel = psf.kernel(psf.sigma_px(mtf, factor), 3)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-6)
    assert kernel @ np.cos(np.pi * np.arange(-3, 4) / factor) == pytest.approx(cut, abs=6e-4)
    # Bicubic interpolation between two pixels takes its own share, that of Keys' kernel.
    taps = np.array([0.5, 1.5])
    weights = np.asarray(bicubic.kernel(tf.constant(taps), -0.75))
    share = 2 * weights @ np.cos(np.pi * taps / factor)
    found = seen_at_nyquist(factor, mtf, half_width=3, coefficient=bicubic.TORCH)
    assert found == pytest.approx(cut * share, abs=1e-3)


@pytest.mark.parametrize(
    ("band", "metres"), [("B2", 4.9), ("B8", 5.5), ("B8A", 9.5), ("B12", 11.6)]
)
def test_widths_of_sentinel_2_are_the_published_ones(band, metres):
    native = 10 if band in ("B2", "B3", "B4", "B8") else 20
    assert psf.sigma_px(psf.MTF[band], native) == pytest.approx(metres, abs=0.06)


def test_widths_differ_by_image_and_band_and_each_is_applied_alone():
    image = np.random.default_rng(0).normal(size=(2, 16, 12, 3)).astype(np.float32)
    mtf = np.array([[0.1, 0.2, 0.3], [0.4, 0.35, 0.15]], np.float32)
    made = psf.degrade(image, 2, mtf)
    for n in range(2):
        for c in range(3):
            alone = psf.degrade(image[n : n + 1, ..., c : c + 1], 2, float(mtf[n, c]))
            # Together they reach as far as the widest, alone 4 sigma: 6e-5 of a Gaussian.
            np.testing.assert_allclose(made[n, ..., c], alone[0, ..., 0], atol=1e-4)


def test_a_drawn_mtf_needs_a_width_said_beforehand():
    @tf.function
    def drawn():
        mtf = tf.random.stateless_uniform([3], [1, 2], 0.1, 0.4)
        return psf.degrade(tf.zeros([1, 8, 8, 3]), 2, mtf)

    with pytest.raises(ValueError, match="half_width"):
        drawn()


def test_odd_sizes_lose_their_rest_and_means_are_kept():
    flat = np.full((1, 9, 7, 2), -0.3, np.float32)
    for options in ({}, {"half_width": 3}):
        np.testing.assert_allclose(
            psf.degrade(flat, 2, 0.2, **options), np.full((1, 4, 3, 2), -0.3), atol=1e-6
        )
    np.testing.assert_allclose(psf.highpass(flat), np.zeros_like(flat), atol=1e-6)


def test_a_blur_with_the_widest_kernel_reflects_more_than_the_image_holds():
    row = np.zeros((1, 1, 5, 1), np.float32)
    row[0, 0, 2] = 1.0
    blurred = np.asarray(psf.blur(row, 3.0))[0, 0, :, 0]
    kernel, wanted = psf.kernel(3.0), np.zeros(5)
    mirrored = [2, 3, 4, 3, 2, 1, 0, 1]  # from the middle on, again and again
    for pixel in range(5):
        for offset, weight in enumerate(kernel, start=-(len(kernel) // 2)):
            wanted[pixel] += weight * (mirrored[(pixel + offset - 2) % 8] == 2)
    np.testing.assert_allclose(blurred, wanted, atol=1e-6)


def test_the_mtf_of_bands_by_name():
    np.testing.assert_allclose(psf.mtf_of(["B03", "B8A"]), [0.276, 0.325])
    np.testing.assert_allclose(psf.mtf_of(["B03", "nir"], {"nir": 0.3, "B3": 0.2}), [0.2, 0.3])
    np.testing.assert_allclose(psf.mtf_of(["R", "G"], 0.15), [0.15, 0.15])
    with pytest.raises(ConfigError, match="'R' is not known"):
        psf.mtf_of(["R"])
    with pytest.raises(ConfigError, match=r"no band 'nri'.*nir"):
        psf.mtf_of(["B02", "nir"], {"nri": 0.3})
