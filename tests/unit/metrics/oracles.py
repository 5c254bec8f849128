"""Independent implementations, written from the published formulas with numpy and scipy only."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal


def texture(seed, shape=(64, 64, 3), low=0.05, high=0.6):
    """Smooth structure with sharp detail in reflectance-like values, different per band."""
    rng = np.random.default_rng(seed)
    base = ndimage.gaussian_filter(rng.normal(size=shape[:2]), 3)
    detail = (rng.random(shape[:2]) > 0.9).astype(float)
    bands = [
        base / base.std() + detail * rng.uniform(0.5, 1) + 0.3 * rng.normal(size=shape[:2])
        for _ in range(shape[2])
    ]
    image = np.stack(bands, axis=-1)
    image = (image - image.min()) / (image.max() - image.min())
    return (low + (high - low) * image).astype(np.float32)


def _matlab_same(image, kernel):
    """2-D convolution whose output is aligned as MATLAB's conv2(..., 'same')."""
    full = signal.convolve2d(image, kernel, mode="full")
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    return full[top : top + image.shape[0], left : left + image.shape[1]]


def haarpsi(x, y):
    """HaarPSI of two images on 0-255: [H, W, 3] red, green, blue or [H, W]."""
    c, alpha = 30.0, 4.2

    def planes(image):
        image = image.astype(np.float64)
        if image.ndim == 2:
            out = [image]
        else:
            r, g, b = (image[..., i] for i in range(3))
            out = [
                0.299 * r + 0.587 * g + 0.114 * b,
                0.596 * r - 0.274 * g - 0.322 * b,
                0.211 * r - 0.523 * g + 0.312 * b,
            ]
        return [_matlab_same(p, np.full((2, 2), 0.25))[::2, ::2] for p in out]

    def responses(plane):
        out = []
        for j in (1, 2, 3):
            kernel = np.full((2**j, 2**j), 2.0**-j)
            kernel[: 2 ** (j - 1)] *= -1
            out.append((np.abs(_matlab_same(plane, kernel)), np.abs(_matlab_same(plane, kernel.T))))
        return out

    def similarity(a, b):
        return (2 * a * b + c) / (a**2 + b**2 + c)

    px, py = planes(x), planes(y)
    rx, ry = responses(px[0]), responses(py[0])
    sims, weights = [], []
    for o in (0, 1):
        sims.append(np.mean([similarity(rx[j][o], ry[j][o]) for j in (0, 1)], axis=0))
        weights.append(np.maximum(rx[2][o], ry[2][o]))
    if len(px) == 3:
        mean = np.full((2, 2), 0.25)
        chroma = [
            similarity(np.abs(_matlab_same(a, mean)), np.abs(_matlab_same(b, mean)))
            for a, b in zip(px[1:], py[1:], strict=True)
        ]
        sims.append(np.mean(chroma, axis=0))
        weights.append(np.mean(weights, axis=0))
    sims, weights = np.array(sims), np.array(weights)
    share = np.sum(weights / (1 + np.exp(-alpha * sims))) / np.sum(weights)
    return (np.log(share / (1 - share)) / alpha) ** 2


def uiqi(x, y, size=8):
    """Wang & Bovik's index in sliding windows, literally, one band at a time."""
    out = []
    for b in range(x.shape[-1]):
        wx = np.lib.stride_tricks.sliding_window_view(x[..., b].astype(np.float64), (size, size))
        wy = np.lib.stride_tricks.sliding_window_view(y[..., b].astype(np.float64), (size, size))
        mx, my = wx.mean((2, 3)), wy.mean((2, 3))
        vx, vy = wx.var((2, 3)), wy.var((2, 3))
        cov = (wx * wy).mean((2, 3)) - mx * my
        out.append(np.mean(4 * cov * mx * my / ((vx + vy) * (mx**2 + my**2))))
    return float(np.mean(out))


def scc(x, y):
    """Pearson correlation of the 8-neighbour Laplacian, interior pixels, per band."""
    kernel = -np.ones((3, 3))
    kernel[1, 1] = 8
    out = []
    for b in range(x.shape[-1]):
        hx = signal.convolve2d(x[..., b].astype(np.float64), kernel, mode="valid")
        hy = signal.convolve2d(y[..., b].astype(np.float64), kernel, mode="valid")
        out.append(np.corrcoef(hx.ravel(), hy.ravel())[0, 1])
    return float(np.mean(out))


def hp_l1(x, y, ranges):
    """Mean absolute difference of scipy's own Laplacian with mirrored borders, scaled by range."""
    out = []
    for b in range(x.shape[-1]):
        lx = ndimage.laplace(x[..., b].astype(np.float64), mode="mirror")
        ly = ndimage.laplace(y[..., b].astype(np.float64), mode="mirror")
        out.append(np.mean(np.abs(lx - ly)) / (ranges[b][1] - ranges[b][0]))
    return float(np.mean(out))


def lsd_hf(x, y, ranges, factor):
    """Mean |difference in dB| of the ring means of the Hann-windowed spectrum; square images."""
    side = x.shape[0]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(side) + 0.5) / side)
    steps = np.minimum(np.arange(side), side - np.arange(side))
    radius = np.sqrt(steps[:, None] ** 2 + steps[None, :] ** 2)
    found = []
    for band, (low, high) in enumerate(np.asarray(ranges, np.float64)):
        spectra = []
        for image in (x, y):
            scaled = (image[..., band].astype(np.float64) - low) / (high - low)
            windowed = (scaled - scaled.mean()) * hann[:, None] * hann[None, :]
            power = np.abs(np.fft.fft2(windowed)) ** 2 / np.sum(hann**2) ** 2
            spectra.append(
                [
                    power[(radius >= ring - 0.5) & (radius < ring + 0.5)].mean()
                    for ring in range(1, side // 2 + 1)
                    if ring > side / (2 * factor)
                ]
            )
        first, second = (10 * np.log10(np.array(s) + 1e-8 / 12) for s in spectra)
        found.append(np.abs(first - second).mean())
    return np.mean(found)
