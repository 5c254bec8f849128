"""What evaluations must have in common to stand in one table."""

from __future__ import annotations

from sensor2sensor.config.evaluations import masks_in_words
from sensor2sensor.config.vocabulary import METRICS_VERSION
from sensor2sensor.report.file import EvaluationFile

SHORT = 8  # digits of a hash that tell two data sets of one name apart
ELSEWHERE = 2  # results on a data set that was not trained on come behind all others


def kind(facts: EvaluationFile) -> tuple[int, str, str]:
    """What results must have in common: rank in the report, words for it, hash of the data."""
    data = facts.dataset
    names = {"enforce_suffix": "only", "exclude_suffix": "without"}
    found = facts.filters
    filters = [f"{word} *{found[key]}" for key, word in names.items() if found.get(key)]
    if (tiles := found.get("exclude_tiles")) is not None:
        filters.append(f"without the tiles of list {tiles.split(':')[-1][:SHORT]}")
    parts = [f"{data.name} at {data.tile_px} px", f"split '{facts.split}'", *filters]
    parts.append(f"profile '{facts.profile}'")
    # Another rule finds another cloud: 56 and 2.5 % of one patch by two published ones.
    parts += masks_in_words(facts.strata.values())
    if facts.cross_sensor is not None:
        parts += facts.cross_sensor.told()
    if facts.metrics_version != METRICS_VERSION:
        parts.append(f"metrics of version {facts.metrics_version}")
    rank = 0 if facts.profile == "standard" else 1  # the conventions to trust come first
    if (there := facts.scored_on) is not None:
        # Beside runs that learned from this very data set they would be judged on another question.
        digest = there.trained_on.sha256.split(":")[-1][:SHORT]
        parts.append(f"by runs trained on {there.trained_on.name} ({digest})")
        rank += ELSEWHERE
    title = ", ".join(parts)
    # By content too: a data set that is built anew keeps its name and not its splits.
    return rank, title, data.sha256.split(":")[-1]
