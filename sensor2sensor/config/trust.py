"""Profiles that hold a prediction against its input: which distance, and by whose rules.

Names and definitions are those of OpenSR-test (Aybar et al. 2024, "A Comprehensive Benchmark for
Optical Remote Sensing Image Super-Resolution", IEEE GRSL 21, doi:10.1109/LGRS.2024.3401394).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal

Distance = Literal["nd", "l1", "l2", "sam"]
# By the mark of their columns: as headings have them, and in words.
DISTANCES: MappingProxyType[Distance, tuple[str, str]] = MappingProxyType({
    "nd": ("ND", "normalised difference |x-y|/(|x|+|y|), mean over bands"),
    "l1": ("L1", "|x-y|, mean over bands"),
    "l2": ("L2", "(x-y)², mean over bands"),
    "sam": ("angle", "spectral angle between the two spectra"),
})  # fmt: skip
CLASSES = ("improvement", "omission", "hallucination")
# Whether a prediction is what its input saw, and how much it adds to that.
REFLECTANCE, SPECTRAL, SPATIAL, SYNTHESIS = "reflectance", "spectral", "spatial", "synthesis"
CONSISTENCY = (REFLECTANCE, SPECTRAL, SPATIAL)
GAMMA = 0.05  # of the three scores, as published


@dataclass(frozen=True)
class Variant:
    """How a prediction is split into improvement, omission and hallucination.

    Attributes:
        distance: Between the spectra of two pixels.
        as_coded: As OpenSR-test computes it, which this is compared with by name alone.
        quantile: Of the distances between input and truth of a tile: pixels are judged where any
            of the three distances reaches it.
        gamma: Of the scores.
        temperature: Of the soft minimum whose mean is taken; None: shares of pixels by their
            nearest class.
        border_px: Target pixels left out at each side.
        shift_limit_px: Of the phase correlation, along each axis.
    """

    distance: Distance = "nd"
    as_coded: bool = False
    quantile: float = 0.75
    gamma: float = GAMMA
    temperature: float | None = None
    border_px: int = 0
    shift_limit_px: float = 5.0

    @property
    def metrics(self) -> tuple[str, ...]:
        """Columns, in table order."""
        return (*CONSISTENCY, SYNTHESIS, *(f"{name}_{self.distance}" for name in CLASSES))

    def facts(self) -> dict[str, Any]:
        """For JSON, with the distance in words."""
        return {**asdict(self), "distance_in_words": self.words}

    @property
    def words(self) -> str:
        """The distance."""
        words = DISTANCES[self.distance][1]
        # Its denominator: that of a negative reflectance may be next to nothing.
        return words.replace("(|x|+|y|)", "|x+y|") if self.as_coded else words


TRUST, OPENSR_TEST = "trust", "opensr-test"
VARIANTS: MappingProxyType[str, Variant] = MappingProxyType({
    TRUST: Variant(),
    "trust-l1": Variant("l1"),
    "trust-l2": Variant("l2"),
    "trust-sam": Variant("sam"),
    OPENSR_TEST: Variant(as_coded=True, temperature=0.25, border_px=16),
})  # fmt: skip
_UNIT = "unit of the bands"
_AYBAR = "Aybar et al. 2024, IEEE GRSL 21"
_MEANT = {
    "improvement": ("higher", "nearest to the truth"),
    "omission": ("lower", "nearest to what the input shows"),
    "hallucination": ("lower", "far from both"),
}


def _entries() -> tuple[dict[str, Any], ...]:
    mean = "mean |LR - d(SR)|, d the mean over each input pixel"
    angle = "mean spectral angle between LR and d(SR)"
    shift = "length of the translation between LR and d(SR)"
    added = "mean |u(LR) - SR|, u the input interpolated to the target's grid"
    rows = [
        (REFLECTANCE, "Reflectance (L1)", _UNIT, "lower", mean),
        (SPECTRAL, "Spectral (angle)", "degrees", "lower", angle),
        (SPATIAL, "Spatial (shift)", "input px", "lower", shift),
        (SYNTHESIS, "Synthesis (L1)", _UNIT, "higher", added),
    ]
    for mark, (head, words) in DISTANCES.items():
        for name, (better, meant) in _MEANT.items():
            paper = f"share of the pixels judged that are {meant}; distance: {words}"
            rows.append((f"{name}_{mark}", f"{name.capitalize()} ({head})", "1", better, paper))
    keys = ("name", "label", "unit", "better", "paper")
    return tuple(
        dict(zip(keys, (*row[:4], f"{_AYBAR}: {row[4]}"), strict=True), profile=TRUST)
        for row in rows
    )


ENTRIES = _entries()


def as_coded(name: str) -> dict[str, str]:
    """Where profile ``opensr-test`` departs from what an entry says."""
    word, _, distance = name.partition("_")
    if not distance:
        what = {
            REFLECTANCE: "mean |LR - d(SR)|, d bilinear with antialiasing",
            SPECTRAL: "mean spectral angle between LR and that d(SR)",
            SPATIAL: "length of the translation between LR and that d(SR)",
            SYNTHESIS: "mean |u(LR) - SR*|, u bilinear, SR* matched to the truth's histogram and "
            "moved onto it",
        }[name]
        return {"paper": f"as coded in OpenSR-test: {what}"}
    what = f"mean soft-min probability of {word} after SR is matched to the truth's histogram"
    words = VARIANTS[OPENSR_TEST].words
    return {"paper": f"as coded in OpenSR-test: {what} and moved onto it; distance: {words}"}
