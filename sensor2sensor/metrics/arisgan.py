"""Profile ``arisgan``: the metrics of the published evaluation, faults included.

It exists to compare with numbers published under these conventions and for nothing else:

* every image is divided by the Frobenius norm of the whole tensor first;
* SAM is in radians, not clipped, and NaN becomes 0, so a dead network gets the best value;
* SCC takes the Sobel derivative along the *channel* axis: not a spatial metric at all;
* HPSI, SSIM and PSNR stretch both images to 0-255 by their own minimum and maximum, so they are
  blind to gain and offset; HPSI weighs the channels in stored order (B02, B03, B04) as if red
  first;
* RMSE forgets to divide by the number of bands; ERGAS uses the prediction's mean and the fixed
  ratio 0.25; UIQI is divided by 4 whatever the number of bands, over the whole image.
"""

from __future__ import annotations

import math

import tensorflow as tf

from sensor2sensor.metrics.arrays import NAN, pad, windows
from sensor2sensor.metrics.haarpsi import haarpsi

FIXED_RATIO = 0.25
SSIM_WINDOW_PX = 7


def l2_normalise(image: tf.Tensor) -> tf.Tensor:
    """Divide each image ``[H, W, C]`` by the Frobenius norm of the whole tensor; zero stays."""
    square = tf.reduce_sum(image * image, axis=[1, 2, 3], keepdims=True)
    return image * tf.math.rsqrt(tf.maximum(square, 1e-12))


def _stretch(image: tf.Tensor) -> tf.Tensor:
    """Minimum to 0 and maximum to 255 over all pixels and bands; NaN for a constant image."""
    low = tf.reduce_min(image, axis=[1, 2, 3], keepdims=True)
    high = tf.reduce_max(image, axis=[1, 2, 3], keepdims=True)
    return (image - low) / (high - low) * 255.0


def sam(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Mean angle in radians, float32 as published; every NaN counts 0."""
    y, x = tf.cast(y, tf.float32), tf.cast(x, tf.float32)
    cosine = tf.reduce_sum(y * x, axis=-1) / tf.norm(x, axis=-1) / tf.norm(y, axis=-1)
    # In float32 the cosine of equal spectra may round to beyond 1: NaN, which then counts 0.
    angle = tf.acos(cosine)
    angle = tf.where(tf.math.is_nan(angle), tf.zeros_like(angle), angle)
    return tf.cast(tf.reduce_mean(angle, axis=[1, 2]), tf.float64)


def _covariances(y: tf.Tensor, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Variances of y and x and their covariance per band (n - 1): three times ``[B, C]``."""
    # n - 1, as numpy.cov has it.
    count = tf.cast(tf.reduce_prod(tf.shape(y)[1:3]) - 1, y.dtype)
    dy = y - tf.reduce_mean(y, axis=[1, 2], keepdims=True)
    dx = x - tf.reduce_mean(x, axis=[1, 2], keepdims=True)
    pairs = ((dy, dy), (dx, dx), (dy, dx))
    first, second, mixed = (tf.reduce_sum(a * b, axis=[1, 2]) / count for a, b in pairs)
    return first, second, mixed


def cc(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Pearson correlation per band, mean over bands; NaN for a constant band."""
    var_y, var_x, cov = _covariances(y, x)
    return tf.reduce_mean(cov / tf.sqrt(var_y * var_x), axis=-1)


def channel_sobel(image: tf.Tensor) -> tf.Tensor:
    """Sobel along channels: [-1 0 1] over bands, [1 2 1] over rows and columns, zero padded."""
    # scipy.ndimage.sobel takes the last axis unless told otherwise, and here that is the bands'.
    padded = tf.pad(image, [[0, 0], [0, 0], [0, 0], [1, 1]])
    derivative = padded[..., 2:] - padded[..., :-2]
    return windows(pad(derivative, 1, 1), [1.0, 2.0, 1.0], [1.0, 2.0, 1.0])


def scc(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Correlation of the channel-wise Sobel responses, mean over bands."""
    return cc(channel_sobel(y), channel_sobel(x))


def hpsi(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """HaarPSI of the two stretched images, channels in stored order; NaN for a constant image."""
    if y.shape[-1] not in (1, 3):
        return tf.fill(tf.shape(y)[:1], tf.constant(NAN, tf.float64))
    return haarpsi(_stretch(y), _stretch(x))


def ssim(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """SSIM of the two stretched images: uniform 7 x 7 window, sample covariance, range 255."""
    y, x = _stretch(y), _stretch(x)
    box = [1.0 / SSIM_WINDOW_PX] * SSIM_WINDOW_PX
    count = float(SSIM_WINDOW_PX**2)
    # scikit-image's defaults, which are not those of Wang et al. 2004: uniform window, n - 1.
    sample = count / (count - 1.0)
    mean_y, mean_x = windows(y, box, box), windows(x, box, box)
    var_y = sample * (windows(y * y, box, box) - mean_y**2)
    var_x = sample * (windows(x * x, box, box) - mean_x**2)
    cov = sample * (windows(y * x, box, box) - mean_y * mean_x)
    c1, c2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
    top = (2 * mean_y * mean_x + c1) * (2 * cov + c2)
    return tf.reduce_mean(
        top / ((mean_y**2 + mean_x**2 + c1) * (var_y + var_x + c2)), axis=[1, 2, 3]
    )


def psnr(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """10 log10(255^2 / MSE) of the two stretched images in dB."""
    error = tf.reduce_mean((_stretch(y) - _stretch(x)) ** 2, axis=[1, 2, 3])
    return 10.0 / math.log(10.0) * tf.math.log(255.0**2 / error)


def rmse(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Square root of the squared error summed over bands and averaged over pixels only."""
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum((y - x) ** 2, axis=-1), axis=[1, 2]))


def ergas(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """ERGAS with ratio 0.25 and the mean of the prediction; +inf for a zero prediction."""
    relative = tf.reduce_mean((y - x) ** 2, axis=[1, 2]) / tf.reduce_mean(x, axis=[1, 2]) ** 2
    return 100.0 * FIXED_RATIO * tf.sqrt(tf.reduce_mean(relative, axis=-1))


def uiqi(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Q over the whole image, summed over bands and divided by 4: at most 0.75 for three bands."""
    var_y, var_x, cov = _covariances(y, x)
    mean_y, mean_x = tf.reduce_mean(y, axis=[1, 2]), tf.reduce_mean(x, axis=[1, 2])
    q = 4.0 * cov * mean_y * mean_x / ((var_y + var_x) * (mean_y**2 + mean_x**2))
    # Four bands of the pan-sharpening code it comes from, not the three it is used on.
    return tf.reduce_sum(q, axis=-1) / 4.0


METRICS = {
    "hpsi": hpsi,
    "ergas": ergas,
    "scc": scc,
    "ssim": ssim,
    "psnr": psnr,
    "sam": sam,
    "cc": cc,
    "uiqi": uiqi,
    "rmse": rmse,
}
