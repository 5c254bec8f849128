"""What tells, in the log of a run, that it has gone wrong without a number that is not finite.

Three signs, each said once, as a sentence with the heading of docs/troubleshooting.md to read. They
are judged from the rows of ``metrics.jsonl`` alone, so a resumed run says what an uninterrupted one
does. docs/engine.md has the criteria and the runs that they were measured on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensor2sensor.training.rows import Row
from sensor2sensor.training.spread import BETWEEN, SPREAD

PAGE = "docs/troubleshooting.md"
SATURATED, CONSTANT, WORSE = "saturated", "constant", "worse"
SEE = {
    SATURATED: f"{PAGE}#the-discriminator-is-saturated",
    CONSTANT: f"{PAGE}#the-output-is-constant",
    WORSE: f"{PAGE}#worse-than-the-baseline",
}
# Losses whose discriminator answers in log-odds; with others a sure answer pulls no weaker.
LOG_ODDS = ("disc_bce", "disc_bce_real", "disc_bce_fake", "disc_nll", "disc_ragan")
# Log-odds of 1 to 150 on either side. A sound pix2pix on maps came to 2.8 and -2.5.
SURE = 5.0
SURE_STEPS = 100
# Of the target's spread. Sound runs have 40 % and more from the first thousand steps on.
FLAT = 0.05
FLAT_LOOKS = 2


@dataclass(frozen=True)
class Held:
    """Scores of a baseline on the validation tiles, and which way each is better.

    Attributes:
        name: The baseline's.
        scores: Mean of each metric.
        higher: Names of those that are better higher.
    """

    name: str
    scores: Mapping[str, float]
    higher: frozenset[str]

    def beats(self, row: Row) -> bool:
        """Whether it is better than a look by every metric that both have a value for."""
        both = [n for n, score in self.scores.items() if math.isfinite(score) and _is(row, n)]
        return bool(both) and all(
            row[n] < self.scores[n] if n in self.higher else row[n] > self.scores[n] for n in both
        )


class Signs:
    """Reads the rows of a run one after the other, and tells what is wrong.

    Args:
        losses: Weights of the discriminator's losses, by name; empty without one.
        judged_from: The step from which the generator hears its discriminator.
        compared_from: The step from which looks are held against the baseline.
    """

    def __init__(
        self, losses: Mapping[str, float | None], *, judged_from: int, compared_from: int
    ) -> None:
        self._log_odds = any(losses.get(name) for name in LOG_ODDS)
        self._relative = bool(losses.get("disc_ragan"))
        self._judged_from, self.compared_from = judged_from, compared_from
        self._sure_since: int | None = None
        self._flat = 0
        self.held: Held | None = None
        self.told: list[dict[str, Any]] = []

    def read(self, row: Row) -> list[dict[str, Any]]:
        """What a row of kind ``train`` or ``val`` tells that was not told before."""
        known = {one["sign"] for one in self.told}
        found = [
            {"sign": sign, "step": row["step"], "text": text, "see": SEE[sign]}
            for sign, text in self._seen(row).items()
            if sign not in known
        ]
        self.told += found
        return found

    def _seen(self, row: Row) -> dict[str, str]:
        if row["kind"] == "train":
            return self._saturated(row)
        return self._constant(row) | self._worse(row) if row["kind"] == "val" else {}

    def _saturated(self, row: Row) -> dict[str, str]:
        """D is right about nearly every patch, for so long that it has nothing left to learn."""
        if row["step"] <= self._judged_from or not self._sure(row):
            self._sure_since = None
            return {}
        self._sure_since = row["step"] if self._sure_since is None else self._sure_since
        steps = row["step"] - self._sure_since
        if steps < SURE_STEPS:
            return {}
        answers = (
            f"{row['disc_real']:+.1f} for true images and {row['disc_fake']:+.1f} for made ones"
        )
        share = ""
        if _is(row, "gen_adversarial_share"):
            share = f"; it has {row['gen_adversarial_share']:.0%} of the generator's gradient"
        text = (
            f"the discriminator is saturated: for {steps} steps its log-odds are {answers}{share}"
        )
        return {SATURATED: text}

    def _sure(self, row: Row) -> bool:
        if not (self._log_odds and _is(row, "disc_real") and _is(row, "disc_fake")):
            return False
        real, fake = row["disc_real"], row["disc_fake"]
        # Relativistic: the difference is the answer, both may drift (Jolicoeur-Martineau 2019).
        if self._relative:
            return bool(real - fake > 2 * SURE)
        return bool(real > SURE and fake < -SURE)

    def _constant(self, row: Row) -> dict[str, str]:
        """At look after look the output hardly varies."""
        found = [(row[name], name) for name in (SPREAD, BETWEEN) if _is(row, name)]
        least, name = min(found, default=(1.0, SPREAD))
        self._flat = self._flat + 1 if least < FLAT else 0
        if self._flat < FLAT_LOOKS:
            return {}
        what = "is the same everywhere" if name == SPREAD else "is the same for every tile"
        return {CONSTANT: f"the output {what}: it varies by {least:.1%} of what the target does"}

    def _worse(self, row: Row) -> dict[str, str]:
        if self.held is None or row["step"] < self.compared_from or not self.held.beats(row):
            return {}
        shown = ", ".join(
            f"{n} {row[n]:.4g} against {score:.4g}" for n, score in self.held.scores.items()
            if _is(row, n)
        )  # fmt: skip
        return {WORSE: f"worse than {self.held.name} by every metric: {shown}"}


def in_words(found: Mapping[str, Any]) -> str:
    """The sentence, with what to read."""
    return f"step {found['step']}: {found['text']}; see {found['see']}"


def _is(row: Row, name: str) -> bool:
    # The log has null for what is not finite.
    return isinstance(row.get(name), int | float) and math.isfinite(row[name])
