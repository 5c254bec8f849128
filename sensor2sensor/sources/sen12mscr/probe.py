"""A few triplets looked into before all are read: faults that a whole data set shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from sensor2sensor.core.errors import DatasetError, InputError
from sensor2sensor.sources.sen12mscr.images import LARGEST_DN, Image, read_image, where_of
from sensor2sensor.sources.sen12mscr.layout import CLEAR, CLOUDY, RADAR, Triplet
from sensor2sensor.sources.sen12mscr.radar import Unit, refuse_other_unit

LOOKED_AT = 16
# Of processing baseline 04.00 and later; SEN12MS-CR is older. Without it no clear sky is so bright
# in B10, of cirrus.
OFFSET_DN = 1000


def probe(triplets: Sequence[Triplet], unit: Unit) -> tuple[str, ...]:
    """What is to be said of the whole, as a few of it show.

    Raises:
        InputError: All radar that was looked at is of another unit.
    """
    step = -(-len(triplets) // LOOKED_AT)
    drawn = triplets[::step]
    _refuse_unit([image for one in drawn if (image := _image(one, RADAR))], unit)
    clear, cloudy = (
        [image for one in drawn if (image := _image(one, kind))] for kind in (CLEAR, CLOUDY)
    )
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


def _image(triplet: Triplet, kind: str) -> Image | None:
    """None of a damaged one, which reading all of them will name."""
    with suppress(DatasetError):
        return read_image(triplet, kind)
    return None


def _refuse_unit(images: Sequence[Image], unit: Unit) -> None:
    errors = []
    for image in images:
        try:
            refuse_other_unit(image.values, unit, where_of(image.path))
        except DatasetError as error:
            errors.append(error)
    if errors and len(errors) == len(images):
        raise InputError(errors[0].what, where=errors[0].where, hint=errors[0].hint)
