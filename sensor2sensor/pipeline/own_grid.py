"""Inputs that a network is given on their own grid, coarser than the target's.

Free of TensorFlow, so that checks of a configuration start at once.
"""

from __future__ import annotations

import math

from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.upsampling import OWN_GRID

KEY = "input_upsampling"


def own_factor(contract: DatasetContract, input_upsampling: str) -> int:
    """Target pixels along a side of a pixel that the network is given.

    Args:
        contract: One that :func:`own_grid_problems` finds nothing about.
        input_upsampling: ``nearest``, ``bicubic`` (1 for both) or ``none``.
    """
    shape = contract.input_px
    return contract.tile_px // shape[0] if input_upsampling == OWN_GRID and shape else 1


def native_px(contract: DatasetContract, input_upsampling: str) -> int:
    """Input pixels along a side of the coarsest band's own pixel, which windows may not cut apart.

    A network that is given the input's grid takes such bands back to their own; one that is given
    the target's cannot.
    """
    if input_upsampling != OWN_GRID:
        return 1
    return math.lcm(*(band.native_px for band in contract.input.bands))


def upsampling_problems(
    contract: DatasetContract, mode: str, height: int, width: int, random_resize: float | None
) -> dict[str, str]:
    """Why an input cannot be brought to a network as ``input_upsampling`` says, by key.

    Arguments are those of :func:`own_grid_problems`, and the ``mode``.
    """
    if mode == "bicubic" and contract.input_px is None:
        text = "bicubic needs a regular low-resolution grid; Sentinel-3 pixels have none: 'nearest'"
        return {KEY: text}
    return own_grid_problems(contract, height, width, random_resize) if mode == OWN_GRID else {}


def own_grid_problems(
    contract: DatasetContract, height: int, width: int, random_resize: float | None
) -> dict[str, str]:
    """Why a network cannot be given the input on its own grid; empty where it can.

    Args:
        contract: Of the data set.
        height: Rows of the target that the network gives.
        width: Columns of it.
        random_resize: Largest random enlargement.

    Returns:
        By key of ``experiment.json``.
    """
    shape, tile = contract.input_px, contract.tile_px
    if shape is None:
        text = "'none' needs a regular input grid; the pixels of a swath have none: 'nearest'"
        return {KEY: text}
    factor = own_factor(contract, OWN_GRID)
    # Stored on the target's grid, an input is seen there, however coarse its sensor.
    whole = contract.input.grid is None or factor == contract.factor
    if not whole or (shape[0] * factor, shape[1] * factor) != (tile, tile):
        text = (
            f"'none' needs a tile of whole input pixels: tiles of {tile} pixels are not"
            f" {shape[0]} x {shape[1]} times the factor {contract.factor:g}; 'nearest' or 'bicubic'"
        )
        return {KEY: text}
    own = native_px(contract, OWN_GRID)
    cell = factor * own
    coarsest = f" times the {own} pixels of the coarsest band" if own > 1 else ""
    found = {
        key: f"{size} is not a multiple of the factor {factor}{coarsest}, which {KEY} 'none' needs:"
        f" take {max(size // cell, 1) * cell}"
        for key, size in (("img_height", height), ("img_width", width))
        if size % cell
    }
    if random_resize is not None and random_resize > 1:
        found["random_resize"] = (
            f"{random_resize:g} would cut input pixels apart, which {KEY} 'none' leaves whole:"
            ' write "random_resize": 1.0'
        )
    return found
