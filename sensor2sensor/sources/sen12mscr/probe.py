"""A few triplets looked into before all are read: faults that a whole data set shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.sources.sen12mscr.images import (
    LARGEST_DN,
    Image,
    OtherBandsError,
    read_image,
    where_of,
)
from sensor2sensor.sources.sen12mscr.layout import CLEAR, CLOUDY, KINDS, RADAR, Triplet
from sensor2sensor.sources.sen12mscr.radar import Unit, refuse_other_unit

LOOKED_AT = 16
# Of processing baseline 04.00 and later; SEN12MS-CR is older. Without it no clear sky is so bright
# in B10, of cirrus.
OFFSET_DN = 1000


def probe(triplets: Sequence[Triplet], unit: Unit) -> tuple[str, ...]:
    """What is to be said of the whole, as a few of it show.

    Raises:
        InputError: All images of a kind that were looked at have other bands, or all radar is of
            another unit.
    """
    step = -(-len(triplets) // LOOKED_AT)
    drawn = triplets[::step]
    looked_at = {kind: _images(drawn, kind) for kind in KINDS}
    _refuse_unit(looked_at[RADAR], unit)
    clear, cloudy = looked_at[CLEAR], looked_at[CLOUDY]
    return (*_offset(clear), *_other_scale(clear, "clear"), *_other_scale(cloudy, "cloudy"))


def _offset(clear: Sequence[Image]) -> Iterator[str]:
    lifted = [
        image
        for image in clear
        if image.values.min() >= OFFSET_DN and not image.blank and not _is_scaled(image)
    ]
    if lifted:
        yield (
            f"warning: {len(lifted)} of {len(clear)} clear images that were looked at are nowhere"
            f" below {OFFSET_DN} in any band, first of them {where_of(lifted[0].path)}: do they"
            " hold the offset of processing baseline 04.00? SEN12MS-CR has none, take it off first"
        )


def _other_scale(images: Sequence[Image], called: str) -> Iterator[str]:
    """Clipping would leave little of them; a few clouds may be so bright, so they are kept."""
    scaled = [image for image in images if not image.blank and _is_scaled(image)]
    if scaled:
        yield (
            f"warning: {len(scaled)} of {len(images)} {called} images that were looked at have most"
            f" values below 0 or above {LARGEST_DN}, first of them {where_of(scaled[0].path)}: are"
            f" they scaled otherwise? SEN12MS-CR holds reflectance x {LARGEST_DN}, and values"
            " beyond are clipped"
        )


def _is_scaled(image: Image) -> bool:
    """Whether most digital numbers are none of reflectance; of an image that is not blank.

    The offset alone is none of another scale: it lifts the median of bright snow beyond, too.
    """
    offset = OFFSET_DN if image.values.min() >= OFFSET_DN else 0
    return not 0 <= np.median(image.known_dn()) <= LARGEST_DN + offset


def _images(triplets: Sequence[Triplet], kind: str) -> list[Image]:
    """Without damaged ones, which reading all of them will name."""
    images: list[Image] = []
    errors: list[DatasetError] = []
    for triplet in triplets:
        with suppress(DatasetError):
            try:
                images.append(read_image(triplet, kind))
            except OtherBandsError as error:
                errors.append(error)
    if not images:
        _refuse_first(errors)
    return images


def _refuse_unit(images: Sequence[Image], unit: Unit) -> None:
    errors = []
    for image in images:
        try:
            refuse_other_unit(image.values, unit, where_of(image.path))
        except DatasetError as error:
            errors.append(error)
    if len(errors) == len(images):
        _refuse_first(errors)


def _refuse_first(errors: Sequence[DatasetError]) -> None:
    if errors:
        raise InputError(errors[0].what, where=errors[0].where, hint=errors[0].hint)
