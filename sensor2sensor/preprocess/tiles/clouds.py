"""What step 40 knows of the clouds of a scene, from where, and which scenes that lets in."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.core.errors import ProductError
from sensor2sensor.preprocess.tiles.options import TileOptions
from sensor2sensor.products.quality import CLOUD
from sensor2sensor.products.s2_clouds import masked
from sensor2sensor.products.sentinel2 import S2Product


def product_with_clouds(product: S2Product, options: TileOptions, root: Path) -> S2Product:
    """The product with the mask that was asked for, where there is one.

    Raises:
        ProductError: its clouds are not known well enough for the options, or are too many.
    """
    if options.cloud_mask is not None:
        product = masked(product, options.cloud_mask, options.cloud_mask_above, root)
    if not product.quality_given(options.resolution_m) & CLOUD:
        _check_unmasked(product, options)
    return product


def _check_unmasked(product: S2Product, options: TileOptions) -> None:
    """Without a mask every pixel reads as clear: a limit on clouds would hold for any of them."""
    if options.cloud_must_be_known:
        what = "has no cloud mask (SCL, MSK_CLASSI or MSK_CLOUDS): --max-cloud cannot be kept"
        hint = (
            "fetch it with its QI_DATA, name a mask with --cloud-mask, go by its own percentage"
            " with --unknown-cloud scene, or cut tiles unseen with --unknown-cloud accept"
        )
        raise ProductError(what, where=product.name, hint=hint)
    if options.unknown_cloud != "scene":
        return
    cloud = product.cloud_fraction
    if cloud is None:
        what = "has neither a cloud mask nor a cloud percentage of its own"
        hint = "name a mask with --cloud-mask, or give --unknown-cloud accept"
        raise ProductError(what, where=product.name, hint=hint)
    if cloud > options.max_cloud:
        what = f"is cloudy by {100 * cloud:.3g} % as it says itself, and has no cloud mask"
        hint = f"--max-cloud is {options.max_cloud:g}; take the scene out of the selection"
        raise ProductError(what, where=product.name, hint=hint)


def source_of(product: S2Product, options: TileOptions) -> str | None:
    """What told of a scene's clouds, where it was not a mask of the product's own."""
    masks = [part.cloud_mask.source for part in product.parts if part.cloud_mask is not None]
    if masks:
        return " + ".join(dict.fromkeys(masks))
    unmasked = not product.quality_given(options.resolution_m) & CLOUD
    if not unmasked or options.unknown_cloud != "scene" or product.cloud_fraction is None:
        return None
    return f"scene {100 * product.cloud_fraction:.4g} %"
