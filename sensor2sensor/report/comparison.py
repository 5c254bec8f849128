"""One paired comparison, and the family of those that stand in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sensor2sensor.core.clustered import CONFIDENCE, holm
from sensor2sensor.report.file import Gain

LEVEL = 1 - CONFIDENCE
Verdict = Literal["better", "worse", "open", "none"]


@dataclass(frozen=True)
class Comparison:
    """One entrant against another in one metric; positive is better for the first.

    Attributes:
        first: Label of the entrant.
        second: Label of the other one.
        metric: Column of the scores.
        mean: Mean paired difference over the tiles where both have a finite value.
        low: Lower end of its 95 % interval, by itself; None where there is none.
        high: Upper end.
        freedom: Degrees of freedom; None without an interval, or without any spread.
        p: p-value of no difference, by itself.
        corrected: By Holm over the family; None outside of one.
        ranked: p-value of the signed rank of cluster means; None below ten clusters, or where
            blocks and scenes cross and clusters of neither kind are independent.
        ranked_corrected: By Holm over the signed ranks of the family.
        better_share: Share of tiles that gained.
        count: Tiles compared.
        left_out: Tiles where one of the two has no finite value.
        failed: Of these the tiles that the first, and that the second, failed on though the metric
            is defined there.
        blocks: Blocks of ground among the tiles compared.
        scenes: Scenes among them.
        over: What the interval is taken over; empty without one.
        note: What the interval is limited to, or why there is none.
    """

    first: str
    second: str
    metric: str
    mean: float | None
    low: float | None = None
    high: float | None = None
    freedom: float | None = None
    p: float | None = None
    corrected: float | None = None
    ranked: float | None = None
    ranked_corrected: float | None = None
    better_share: float | None = None
    count: int = 0
    left_out: int = 0
    failed: tuple[int, int] = (0, 0)
    blocks: int = 0
    scenes: int = 0
    over: str = ""
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """``better`` or ``worse`` after the correction, ``open``, or ``none`` without a test."""
        if self.corrected is None or self.mean is None:
            return "none"
        return "open" if self.corrected >= LEVEL else "better" if self.mean > 0 else "worse"

    def gain(self) -> Gain:
        """The same as a gain of an evaluation, its verdict after the correction."""
        return Gain(
            mean=self.mean, t_low=self.low, t_high=self.high, degrees_of_freedom=self.freedom,
            bootstrap_low=None, bootstrap_high=None, better_share=self.better_share,
            count=self.count, left_out=self.left_out, blocks=self.blocks, scenes=self.scenes,
            over=self.over, verdict=self.verdict, note=self.note,
        )  # fmt: skip


def family(found: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one table, corrected together; those without a p-value are no tests."""
    corrected = _by_holm([one.p for one in found])
    ranked = _by_holm([one.ranked for one in found])
    return [
        replace(one, corrected=p, ranked_corrected=r)
        for one, p, r in zip(found, corrected, ranked, strict=True)
    ]


def _by_holm(values: Sequence[float | None]) -> list[float | None]:
    corrected = iter(holm([value for value in values if value is not None]).tolist())
    return [None if value is None else next(corrected) for value in values]


def tests(found: Sequence[Comparison]) -> int:
    """How many comparisons of a family were tested."""
    return sum(one.p is not None for one in found)


def told(found: Sequence[Comparison], of: str = "metrics") -> str:
    """What stands beneath a table: how its verdicts were corrected, and what was left out.

    Args:
        found: Every comparison of the table.
        of: What it has beside methods.
    """
    count, untested = tests(found), len(found) - tests(found)
    without = f"; {untested} without a test" if untested else ""
    failed = sum(any(one.failed) for one in found)
    lost = f" In {failed} a side failed on tiles: these have no verdict." if failed else ""
    if not count:
        return "No comparison of this table was tested, so there is no verdict."
    return (
        f"Verdicts after Holm's correction over the {many(count, 'test')} of this table (one "
        f"family: all its {of} and methods{without}): at most 5 % of such tables hold any false "
        f"verdict. Intervals are of each comparison by itself, p-values after the correction.{lost}"
    )


def many(count: int, what: str) -> str:
    """``1 tile``, ``3 tiles``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
