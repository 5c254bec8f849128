"""Weights of losses, with what a loss must know of the normalised values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType


class LossWeights(Mapping[str, float | None]):
    """Weights by loss name, with the value range of each target band that SSIM needs.

    Attributes:
        value_range: Widths of the value ranges in normalised units (2.0 for [-1, 1]).
        value_low: Their lower ends, which SSIM shifts to 0 (-1.0 for [-1, 1]).
        warmup_steps: Steps before a generator's adversarial terms count.
    """

    def __init__(
        self,
        weights: Mapping[str, float | None],
        value_range: Sequence[float] | float,
        value_low: Sequence[float] | float = 0.0,
        warmup_steps: int = 0,
    ) -> None:
        self._weights = MappingProxyType(dict(weights))
        self.value_range = value_range
        self.value_low = value_low
        self.warmup_steps = warmup_steps

    def __getitem__(self, name: str) -> float | None:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __repr__(self) -> str:
        return f"LossWeights({dict(self._weights)}, value_range={self.value_range})"
