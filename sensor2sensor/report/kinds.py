"""What evaluations must have in common to stand in one table."""

from __future__ import annotations

from sensor2sensor.config.evaluations import masks_in_words
from sensor2sensor.config.vocabulary import METRICS_VERSION
from sensor2sensor.report.file import Dataset, EvaluationFile, Trained

SHORT = 8  # digits of a hash that tell two data sets of one name apart
ELSEWHERE = 2  # results on a data set that was not trained on come behind all others


def kind(facts: EvaluationFile) -> tuple[int, str, str]:
    """What results must have in common: rank in the report, words for it, hash of the data."""
    data = facts.dataset
    told = conditions(facts)
    place = told.index(f"profile '{facts.profile}'")
    parts = [f"{data.name} at {data.tile_px} px", *told[:place], *_listed(facts), *told[place:]]
    rank = 0 if facts.profile == "standard" else 1  # the conventions to trust come first
    if (there := facts.scored_on) is not None:
        # Beside runs that learned from this very data set they would be judged on another question.
        parts.append(f"by runs trained on {there.trained_on.name} ({digits(there.trained_on)})")
        rank += ELSEWHERE
    # By content too: a data set that is built anew keeps its name and not its splits.
    return rank, ", ".join(parts), data.sha256.split(":")[-1]


def conditions(facts: EvaluationFile) -> list[str]:
    """What results must have in common beside the data set and its tiles: split, profile, masks."""
    names = {"enforce_suffix": "only", "exclude_suffix": "without"}
    found = facts.filters
    filters = [f"{word} *{found[key]}" for key, word in names.items() if found.get(key)]
    parts = [f"split '{facts.split}'", *filters]
    parts.append(f"profile '{facts.profile}'")
    # Another rule finds another cloud: 56 and 2.5 % of one patch by two published ones.
    parts += masks_in_words(facts.strata.values())
    if facts.aligned:
        # Its shift was measured on the target: another question than that of inputs as they come.
        parts.append(f"trained with input aligned with the target ({', '.join(facts.aligned)})")
    if facts.cross_sensor is not None:
        parts += facts.cross_sensor.told()
    if facts.trust is not None:
        parts += facts.trust.told()
    if facts.metrics_version != METRICS_VERSION:
        parts.append(f"metrics of version {facts.metrics_version}")
    return parts


def data_in_words(facts: EvaluationFile) -> str:
    """The data set that was scored and the tiles that are left out of it."""
    data = facts.dataset
    return ", ".join([f"{data.name} at {data.tile_px} px", *_listed(facts)])


def other_data_in_words(facts: EvaluationFile) -> str:
    """The data set that was scored, where it is not the one trained on; empty where it is."""
    data = facts.dataset
    return "" if facts.scored_on is None else f"data set `{data.name}` ({digits(data)})"


def seen_in_words(facts: EvaluationFile) -> str:
    """What training has seen of the ground of another data set; empty of the run's own."""
    there = facts.scored_on
    if there is None:
        return ""
    if there.seen_tiles is None:
        return "nobody knows which of its ground training has seen"
    told = [f"{there.seen_tiles} of {there.tiles} tiles show ground of the train split"]
    if there.beside_tiles:
        told.append(f"{there.beside_tiles} more lie beside it")
    if there.val_tiles is None:
        told.append("how many that of the val split nobody knows")
    elif there.val_tiles:
        told.append(f"{there.val_tiles} show ground of the val split")
    return ", ".join(told)


def digits(data: Trained | Dataset) -> str:
    """The beginning of the hash of a data set's contract."""
    return data.sha256.split(":")[-1][:SHORT]


def _listed(facts: EvaluationFile) -> list[str]:
    tiles = facts.filters.get("exclude_tiles")
    return [] if tiles is None else [f"without the tiles of list {tiles.split(':')[-1][:SHORT]}"]
