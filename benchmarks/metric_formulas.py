"""What docs/metrics.md says of each metric beyond its declaration: formula, range, when undefined.

x is the truth, y the prediction, b a band, n the pixels with a truth in every band, and ^ a value
mapped so that its band's value range in the data set is [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """A metric's formula, the values it takes, and when it has none."""

    text: str
    range: str
    undefined: str = "–"


CORRELATION = "a constant band"
ONE_SSIM = "(2 μxμy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))"

FORMULAS = {
    "rmse": Formula("√ mean over bands, pixels of (y - x)²", "≥ 0"),
    "l1": Formula("mean over bands, pixels of abs(y - x)", "≥ 0"),
    "mae": Formula("as `l1`", "≥ 0"),
    "psnr": Formula(
        "-10 log10 of the mean over bands, pixels of (ŷ - x̂)²; one logarithm for all bands",
        "any; +inf where perfect, which enters no mean",
    ),
    "ssim": Formula(
        f"{ONE_SSIM}, C1 = 0.01², C2 = 0.03² on [0, 1]; Gaussian 11 × 11, σ 1.5, population"
        " moments; mean over windows that fit, then bands",
        "-1 … 1",
        "no window without a hole; below 11 px refused",
    ),
    "ms_ssim": Formula(
        "Π over scales j = 1 … 4 of cs_j^w_j, times SSIM_5^w_5; cs = (2 σxy + C2) / (σx² + σy² +"
        " C2), mean over windows; w = .0448, .2856, .3001, .2363, .1333; each scale the 2 × 2 mean"
        " of the one before; a mean below 0 counts 0; mean over bands",
        "0 … 1",
        "tiles below 161 px (the fifth scale, 1/16, must hold a window of 11); a scale without a"
        " window without a hole",
    ),
    "hpsi": Formula(
        "HaarPSI of red, green, blue on 0–255, clipped: C = 30, α = 4.2, three Haar scales, YIQ",
        "0 … 1",
        "target and prediction constant; without red, green and blue it is `hpsi_bands`",
    ),
    "hpsi_bands": Formula(
        "mean over bands of the grey HaarPSI", "0 … 1", "target and prediction constant"
    ),
    "sam": Formula(
        "mean over pixels of arccos(x·y / (‖x‖ ‖y‖)), as 2 atan2(‖u - v‖, ‖u + v‖); a prediction"
        " of zero counts 90",
        "0 … 180",
        "one band; no pixel whose truth has a norm of at least 1e-6",
    ),
    "ergas": Formula(
        "100 / factor · √ mean over bands of RMSE_b² / mean(x_b)²; factor = input pixel / target"
        " pixel",
        "≥ 0",
        "a band whose truth has mean 0",
    ),
    "cc": Formula("Pearson correlation over pixels, mean over bands", "-1 … 1", CORRELATION),
    "scc": Formula(
        "Pearson correlation of the responses to [-1 -1 -1; -1 8 -1; -1 -1 -1] where it fits, mean"
        " over bands",
        "-1 … 1",
        "a band without high frequencies; below 4 px refused",
    ),
    "uiqi": Formula(
        "4 σxy μxμy / ((σx² + σy²)(μx² + μy²)), mean over sliding windows of 8 × 8, then bands",
        "-1 … 1",
        "no window without a hole; below 8 px refused",
    ),
    "hp_l1": Formula(
        "mean of abs(L ŷ - L x̂), L = [0 -1 0; -1 4 -1; 0 -1 0], borders mirrored", "≥ 0"
    ),
    "lsd_hf": Formula(
        "mean over rings beyond the input's Nyquist frequency, then bands, of abs(10 log10(P_y /"
        " P_x)); Hann window, mean removed, floor of the rounding to 1e-4",
        "≥ 0",
        "a hole, a constant band, factor 1; within a mask",
    ),
    "rmse_smooth": Formula(
        "`rmse` over the third of the pixels whose truth has the least Sobel gradient √ Σ_b"
        " abs(∇x̂_b)²; the outermost ring has none",
        "≥ 0",
    ),
    "rmse_middle": Formula("`rmse` over the middle third", "≥ 0", "equal gradients leave none"),
    "rmse_edges": Formula("`rmse` over the steepest third", "≥ 0", "equal gradients leave none"),
    "ndvi_error": Formula(
        "mean over pixels of abs(NDVI(y) - NDVI(x)), NDVI = (nir - red) / (nir + red), clipped to"
        " [-1, 1]; a prediction with nir + red < 0.02 counts 1 + abs(NDVI(x))",
        "0 … 2",
        "bands other than reflectance, or without red (630–690 nm) and near infrared (820–900 nm);"
        " no pixel whose truth has nir + red ≥ 0.02",
    ),
    "lpips": Formula(
        "Σ over layers l of mean over places of Σ over channels c of w_lc (φ̄_lc(x) - φ̄_lc(y))²; φ̄ ="
        " features of unit length; red, green, blue mapped to [-1, 1], clipped",
        "≥ 0",
        "a hole; tiles below 64 px; without red, green and blue; within a mask; no such column"
        " without a file of weights",
    ),
    "ssim_compat": Formula("`ssim` of images in [-1, 1] with L = 2", "-1 … 1", "as `ssim`"),
    "l1_compat": Formula("2 · `l1_scaled`", "≥ 0"),
    "l1_scaled": Formula("mean over bands, pixels of abs(ŷ - x̂)", "≥ 0"),
    "hp_l1_compat": Formula(
        "mean of abs(Lx / max abs(Lx) - Ly / max abs(Ly)), bands summed, zeros around", "0 … 2"
    ),
    "laplacian_l1": Formula("as `hp_l1`", "≥ 0"),
    "psnr_bands": Formula(
        "mean over bands of -10 log10(mean over pixels of (ŷ - x̂)²)",
        "any; +inf where a band is perfect",
    ),
    "rmse_bands": Formula("mean over bands of √ mean over pixels of (y - x)²", "≥ 0"),
    "lr_rmse": Formula(
        "`rmse_bands` of the input and the prediction degraded by each band's MTF", "≥ 0"
    ),
}
# As coded by the publication, on images divided by their norm; faults are kept.
ARISGAN = {
    "hpsi": Formula("HaarPSI, each image stretched to 0–255 by its own ends", "0 … 1", "constant"),
    "ergas": Formula("25 √ mean over bands of MSE_b / mean(y_b)²", "≥ 0", "+inf: y is 0"),
    "scc": Formula("correlation of Sobel responses along the *bands*", "-1 … 1", CORRELATION),
    "ssim": Formula("uniform 7 × 7, sample moments, each stretched to 0–255", "-1 … 1", "constant"),
    "psnr": Formula("20 log10(255 / RMSE), each stretched to 0–255", "any", "constant"),
    "sam": Formula("mean arccos, not clipped; NaN counts 0", "0 … π"),
    "cc": Formula("Pearson correlation, mean over bands", "-1 … 1", CORRELATION),
    "uiqi": Formula("Q of the whole image, summed over bands, / 4", "≤ bands / 4", CORRELATION),
    "rmse": Formula("√ mean over pixels of Σ over bands (y - x)²", "≥ 0"),
}
# Of mean amplitudes by ring in dB: T the target's, I the bicubic input's, P the prediction's.
FREQUENCY = {
    "prr": ("potential restoration rate", "100 abs((ΣT - ΣB) / ΣB), B = min(T, I)", "≥ 0"),
    "arr": ("achieved restoration rate", "100 abs((Σ max(min(P, T), B) - ΣB) / ΣB)", "≥ 0"),
    "frr": ("frequency restoration rate", "100 ARR / PRR", "0 (bicubic) … 100; undefined: PRR 0"),
    "fro": ("overshoot", "100 (ΣT - Σ max(P, T)) / ΣT", "≥ 0"),
    "fru": ("undershoot", "100 Σ(I - min(P, I)) / ΣI", "≤ 0"),
    "fda_noise": ("noise", "max(0, FRR of 0.8–1 less FRR of 0.6–0.8)", "≥ 0"),
}
