"""Frequency-domain analysis: the published vectors, its rings, and what it is blind to."""

from __future__ import annotations

import numpy as np
import pytest

from sensor2sensor.metrics import fda

T = -np.arange(5.0)  # the fact sheet's profiles, in dB of ring 1
VECTORS = [  # P / T: FRR, ARR, PRR, FRO, FRU in percent
    (1.5, 50, 25, 50, 0, 0),
    (1.0, 100, 50, 50, 0, 0),
    (2.0, 0, 0, 50, 0, 0),
    (0.5, 100, 50, 50, 50, 0),
    (3.0, 0, 0, 50, 0, -50),
]


@pytest.mark.parametrize(("times", "frr", "arr", "prr", "fro", "fru"), VECTORS)
def test_the_published_vectors_are_exact(times, frr, arr, prr, fro, fru):
    found = fda.rates(T, 2 * T, times * T, fda.TORCHSISR)
    expected = {"frr": frr, "arr": arr, "prr": prr, "fro": fro, "fru": fru}
    assert {name: float(found[name]) for name in expected} == expected


def test_published_rings_use_every_second_annulus_and_the_first_holds_nothing():
    ring, weight, count = fda._rings(256, fda.TORCHSISR)
    used = weight[ring >= 0].sum()
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(512) * 512, np.fft.fftfreq(512) * 512))
    assert count == 128 and not (ring == 0).any() and (ring == 1).any()
    # 49.6 % of the bins up to the last one of the axis, N - 1: fact sheet.
    assert used / (radius <= 255).sum() == pytest.approx(0.496, abs=5e-4)


def by_hand(image, mode):
    """Ring means over the whole plane, ring by ring."""
    side = len(image)
    if mode == fda.TORCHSISR:
        plane, size, edges = np.abs(np.fft.fft2(image, s=(2 * side, 2 * side))), 2 * side, []
        edges = [(2 * i, 2 * i + 1) for i in range(side // 2)]
    else:
        hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
        window = np.outer(hann, hann)
        level = image - (image * window).sum() / window.sum()
        plane, size = np.abs(np.fft.fft2(level * window)), side
        edges = [(0, 0), *((i - 0.5, i + 0.5) for i in range(1, side // 2 + 1))]
    k = np.fft.fftfreq(size) * size
    r = np.sqrt(k[:, None] ** 2 + k[None, :] ** 2)
    inside = [(r > low) & (r < high) for low, high in edges]
    return np.array([plane[own].mean() if own.any() else np.nan for own in inside])


@pytest.mark.parametrize("mode", [fda.TORCHSISR, fda.WINDOWED])
@pytest.mark.parametrize("side", [16, 19])
def test_amplitudes_are_the_ring_means_of_the_whole_plane(mode, side):
    images = np.random.default_rng(side).normal(size=(2, side, side, 3))
    found = fda.amplitudes(images, mode)
    assert found[1, 2] == pytest.approx(by_hand(images[1, ..., 2], mode), nan_ok=True)


def fields(count=4, side=64):
    """1/f fields around 0.15, as the fact sheet's study, the input without the upper half."""
    rng = np.random.default_rng(3)
    k = np.fft.fftfreq(side) * side
    radius = np.maximum(np.hypot(k[:, None], k[None, :]), 1)
    noise = np.fft.fft2(rng.normal(size=(count, side, side))) / radius
    blur = np.exp(-0.5 * (radius / (side / 6)) ** 2)
    made = [np.fft.ifft2(noise * gain).real for gain in (np.ones_like(blur), blur, np.sqrt(blur))]
    made = [0.15 + 0.05 * field / made[0].std() for field in made]
    return [field[..., None] for field in made]


def scores(target, low, guess, mode=fda.WINDOWED):
    levels = [fda.level_db(fda.amplitudes(x, mode).mean(axis=0)) for x in (target, low, guess)]
    return {name: value.item() for name, value in fda.rates(*levels, mode).items()}


@pytest.mark.parametrize("mode", [fda.TORCHSISR, fda.WINDOWED])
def test_the_input_restores_nothing_and_the_target_all(mode):
    target, low, between = fields()
    assert scores(target, low, low, mode)["frr"] == 0
    assert scores(target, low, target, mode)["frr"] == pytest.approx(100)
    assert 5 < scores(target, low, between, mode)["frr"] < 95


def test_a_window_forgives_an_offset_and_the_published_mode_does_not():
    target, low, between = fields()
    plain, moved = (scores(target, low, x)["frr"] for x in (between, between + 0.1))
    assert moved == pytest.approx(plain)
    old = [scores(target, low, x, fda.TORCHSISR)["frr"] for x in (between, between + 0.1)]
    assert abs(old[1] - old[0]) > 3


def test_noise_alone_scores_and_is_told_by_its_own_number():
    target, low, _ = fields()
    noisy = low + np.random.default_rng(0).normal(0, 0.002, low.shape)
    found = scores(target, low, noisy)
    assert found["frr"] > 10 and found["fda_noise"] > 5


def test_no_potential_leaves_no_rate_and_a_constant_no_level():
    assert np.isnan(fda.rates(T, T, T)["frr"]) and fda.rates(T, T, T)["prr"] == 0
    assert fda.signed_potential(2 * T, T) == pytest.approx(-100)
    flat = fda.level_db(fda.amplitudes(np.full((1, 16, 16, 1), 0.2)))
    assert np.isnan(fda.rates(flat, flat, flat)["prr"]).all()
