"""How a predictor is led over an image larger than it is given at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tiling:
    """By windows of any size with a halo, or by windows of one size that are blended.

    A fully convolutional network sees so far and no farther: given that much around a window, it
    makes of the window what it would make of it within the whole. One that sees all it is given (a
    U-Net's bottleneck, an instance norm) has no such window: it is given the size it was trained
    on, and where windows overlap they are blended.

    Attributes:
        halo_px: Target pixels at each side that are context alone; None: windows are blended.
        window_px: Rows and columns of the only windows it takes, target pixels; None with a halo.
        align_px: Windows begin at multiples of so many target pixels: its total stride, and an
            input pixel.
        overlap_px: By how much blended windows overlap at least.
    """

    halo_px: int | None
    window_px: tuple[int, int] | None = None
    align_px: int = 1
    overlap_px: int = 0
