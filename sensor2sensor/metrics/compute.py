"""Which metrics a profile has, and the one function that computes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from sensor2sensor.config.trust import VARIANTS
from sensor2sensor.config.vocabulary import (
    CLOUD_METRICS,
    CLOUD_TABLE,
    DSEN2CR,
    EXTENDED,
    EXTENDED_METRICS,
    LPIPS,
    MAPS_METRICS,
    MAPS_TABLE,
    METRICS,
    NDVI,
    PIX2PIX_MAPS,
    PROFILES,
    SISR_METRICS,
    SISR_TABLE,
    STANDARD,
    TORCHSISR,
)
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.lpips_file import LpipsFile
from sensor2sensor.core.names import suggestion
from sensor2sensor.metrics import arisgan
from sensor2sensor.metrics.arrays import NAN
from sensor2sensor.metrics.inputs import MetricInputs, check, prepare
from sensor2sensor.metrics.registry import REGISTRY, Metric, own_metrics, score_one

if TYPE_CHECKING:
    from sensor2sensor.dataset.contract import DatasetContract

# Sums over pixels go by vectors of images. What is left beside whole vectors is summed in another
# order, so the last digits of a tile would follow how many others it is scored with.
AT_ONCE = 8


def profile_metrics(profile: str, *, colour: bool = True, lpips: bool = False) -> tuple[str, ...]:
    """Names of the metrics a profile computes, in table order.

    Args:
        profile: Metric conventions.
        colour: Whether red, green and blue are declared: HPSI is ``hpsi`` then, else
            ``hpsi_bands``, and never both.
        lpips: Whether there is a file of weights for ``lpips``, of profile ``extended``.

    Raises:
        ConfigError: For an unknown profile.
    """
    other = "hpsi_bands" if colour else "hpsi"
    left_out = {other} if profile in (STANDARD, EXTENDED) else set()
    left_out |= set() if lpips else {LPIPS}
    return tuple(name for name in _known(profile) if name not in left_out)


def _known(profile: str) -> tuple[str, ...]:
    if profile not in PROFILES:
        raise ConfigError(
            f"unknown profile {profile!r}", where="metrics", hint=suggestion(profile, PROFILES)
        )
    # In the vocabulary's order, which no import changes: it is that of columns already written.
    maps = dict.fromkeys((*MAPS_TABLE, *MAPS_METRICS))  # a user's last
    tables: dict[str, Iterable[str]]
    tables = {"standard": METRICS, "arisgan": arisgan.METRICS, PIX2PIX_MAPS: maps}
    tables[DSEN2CR] = dict.fromkeys((*CLOUD_TABLE, *CLOUD_METRICS))
    tables[TORCHSISR] = dict.fromkeys((*SISR_TABLE, *SISR_METRICS))
    tables[EXTENDED] = dict.fromkeys((*METRICS, *EXTENDED_METRICS))
    tables |= {name: variant.metrics for name, variant in VARIANTS.items()}
    return tuple(tables[profile])


def _choose(
    profile: str, names: Sequence[str] | None, *, colour: bool, red_nir: bool, lpips: bool
) -> tuple[str, ...]:
    known = _known(profile)
    if profile in VARIANTS:
        what = f"profile {profile!r} needs the input beside target and prediction"
        hint = "sensor2sensor.metrics.trust computes it"
        raise ConfigError(what, where="metrics", hint=hint)
    for name in names or ():
        if name not in known:
            raise ConfigError(
                f"profile {profile!r} has no metric {name!r}",
                where="metrics",
                hint=suggestion(name, known),
            )
    if names is None:
        every = profile_metrics(profile, colour=colour, lpips=lpips and colour)
        return tuple(name for name in every if red_nir or name != NDVI)
    chosen = tuple(names)
    if profile in (STANDARD, EXTENDED) and "hpsi" in chosen and not colour:
        raise ConfigError(
            "hpsi needs bands that are declared red, green and blue",
            where="metrics",
            hint="name hpsi_bands, or declare target.display in dataset.json and delete"
            " dataset.sha256",
        )
    return chosen


def _arisgan(
    inputs: MetricInputs, names: Sequence[str], *, prediction_is_normalised: bool
) -> dict[str, tf.Tensor]:
    target = arisgan.l2_normalise(inputs.target)
    guess = inputs.prediction
    guess = guess if prediction_is_normalised else arisgan.l2_normalise(guess)
    return {name: arisgan.METRICS[name](target, guess) for name in names}


def compiled(
    profile: str,
    names: tuple[str, ...],
    image: tuple[int | None, ...],
    colour: tuple[int, int, int] | None = None,
    prediction_is_normalised: bool = False,
    parted: bool = False,
    red_nir: tuple[int, int] | None = None,
    lpips: LpipsFile | None = None,
    dtype: tf.DType = tf.float32,
) -> Any:
    """The graph behind :func:`compute`: one trace, whatever the batch size, ranges and factor.

    Args:
        profile: Metric conventions.
        names: Metrics to compute.
        image: ``(H, W, C)``.
        colour: Positions of red, green, blue.
        prediction_is_normalised: See :func:`compute`.
        parted: Whether a part of the images is scored, by ``within`` of :func:`compute`.
        red_nir: Positions of red and near infrared.
        lpips: The weights of ``lpips``.
        dtype: Of truth and prediction.

    Returns:
        A ``tf.function`` of truth, prediction, ranges and factor in float64, and of the part.
    """
    # By function, not by name: the module of another experiment may mean something else by it.
    metrics = tuple(REGISTRY[name] for name in names) if profile != "arisgan" else ()
    # A user's metric may look at the bands too, so they are of every profile's graph.
    given = colour, red_nir, lpips
    return _compiled(profile, names, metrics, image, given, prediction_is_normalised, parted, dtype)


@lru_cache(maxsize=32)
def _compiled(
    profile: str,
    names: tuple[str, ...],
    metrics: tuple[Metric, ...],
    image: tuple[int | None, ...],
    given: tuple[tuple[int, int, int] | None, tuple[int, int] | None, LpipsFile | None],
    prediction_is_normalised: bool,
    parted: bool,
    dtype: tf.DType,
) -> Any:
    colour, red_nir, lpips = given
    spec = tf.TensorSpec([None, *image], dtype)
    part = [tf.TensorSpec([None, *image[:-1]], tf.bool)] if parted else []
    ranges, factor = tf.TensorSpec([image[-1], 2], tf.float64), tf.TensorSpec([], tf.float64)

    # Nothing here branches on a tensor; without AutoGraph an InputError comes out as it is.
    @tf.function(input_signature=(spec, spec, ranges, factor, *part), autograph=False)  # type: ignore[untyped-decorator]
    def score(
        truth: tf.Tensor, guess: tf.Tensor, ranges: tf.Tensor, factor: tf.Tensor, *part: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        count = tf.shape(truth)[0]
        # With its last image: a user's metric may refuse one of zeros.
        filled = tf.minimum(tf.range(count + -count % AT_ONCE), count - 1)
        truth, guess, *parts = (tf.gather(x, filled) for x in (truth, guess, *part))
        inputs, scorable = prepare(truth, guess, ranges, factor, colour, *parts)
        inputs = replace(inputs, red_nir=red_nir, lpips=lpips)
        if profile == "arisgan":
            values = _arisgan(inputs, names, prediction_is_normalised=prediction_is_normalised)
            # Its norm is that of the whole tile: with a hole it would be another tile's.
            scorable = scorable & tf.reduce_all(inputs.valid, axis=[1, 2])
        else:
            pairs = zip(names, metrics, strict=True)
            values = {name: score_one(name, metric, inputs) for name, metric in pairs}
        nothing = tf.constant(NAN, tf.float64)
        return {n: tf.where(scorable, value, nothing)[:count] for n, value in values.items()}

    return score


def try_own_metrics(contract: DatasetContract) -> None:
    """Trace the metrics of the user's modules for a data set, which scores nothing.

    Raises:
        ModelContractError: One of them does not return a value per image.
    """
    names, size = own_metrics(), contract.tile_px
    if names:
        image = (size, size, len(contract.target.bands))
        compiled("standard", names, image, contract.colour()).get_concrete_function()


def compute(
    target: Any,
    prediction: Any,
    *,
    value_ranges: Any,
    factor: float,
    profile: str = "standard",
    names: Sequence[str] | None = None,
    colour: Sequence[int] | None = None,
    prediction_is_normalised: bool = False,
    within: Any = None,
    red_nir: Sequence[int] | None = None,
    lpips: LpipsFile | None = None,
) -> dict[str, tf.Tensor]:
    """Score a batch, image by image, in a compiled graph; also inside a ``tf.function``.

    The bits of an image's scores do not depend on the others: a batch is filled up to a multiple of
    :data:`AT_ONCE` images, so fewer take as long as that.

    Args:
        target: Truth ``[B, H, W, C]`` in physical units, not clipped; NaN marks pixels without
            data.
        prediction: Prediction of the same shape and units.
        value_ranges: ``[C, 2]`` low and high of each band (``DatasetContract.target_ranges()``).
        factor: Input pixel size over target pixel size (``DatasetContract.factor``).
        profile: ``standard``; ``arisgan`` (which normalises both images by their own norm
            first); ``pix2pix-maps``; ``dsen2cr``; ``torchsisr``; ``extended``.
        names: Metrics to compute; by default all of the profile that what is given here allows.
        colour: Positions of the true-colour red, green and blue band
            (``DatasetContract.colour()``): ``hpsi`` is computed then, else ``hpsi_bands``.
        prediction_is_normalised: Profile ``arisgan`` only: the prediction comes from a network that
            was trained on l2-normalised data and is taken as it is.
        within: Pixels ``[B, H, W]`` bool that are scored, all by default. Of whole images: the
            windows of an SSIM are those whose centre lies there.
        red_nir: Positions of red and near infrared (``dataset.vegetation.red_and_nir``), which
            ``ndvi_error`` needs.
        lpips: A file of weights (``core.lpips_file.open_lpips``), which ``lpips`` needs.

    Returns:
        ``[B]`` float64 per metric. NaN: undefined for this image (no valid pixel, a constant band
        where a correlation is asked, a prediction that is not finite). +inf: perfect (PSNR) or, in
        profile ``arisgan``, divided by zero. Neither may enter a mean.

    Raises:
        ConfigError: For an unknown profile or metric, or ``hpsi`` without ``colour``.
        InputError: For shapes or ranges that do not fit.
    """
    has = {"colour": colour is not None, "red_nir": red_nir is not None, "lpips": bool(lpips)}
    chosen = _choose(profile, names, **has)
    truth, guess, ranges = check(target, prediction, value_ranges)
    order = None if colour is None else (colour[0], colour[1], colour[2])
    image, part = tuple(truth.shape[1:]), [] if within is None else [tf.cast(within, tf.bool)]
    pair = None if red_nir is None else (red_nir[0], red_nir[1])
    given = order, prediction_is_normalised, bool(part), pair, lpips, truth.dtype
    score = compiled(profile, chosen, image, *given)
    batch = truth, guess, ranges, tf.constant(factor, tf.float64), *part
    values: dict[str, tf.Tensor] = score(*batch)
    return {name: values[name] for name in chosen}
