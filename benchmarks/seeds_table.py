"""What benchmarks.seeds makes of the values of every tile: statistics, verdicts and tables.

Nothing here reads a file, so that the page can be held against the results in a test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensor2sensor.config.vocabulary import ARROWS
from sensor2sensor.core.clustered import undefined_alike
from sensor2sensor.evaluation.summary import Gain, gain, statistics

BEGIN = "<!-- seeds: begin, written by python -m benchmarks.seeds -->"
END = "<!-- seeds: end -->"
REFERENCE = "bicubic"
WINS, LOSES, EQUAL, UNKNOWN = "wins", "loses", "=", "–"
WORDS = {"better": WINS, "worse": LOSES, "open": EQUAL, "none": UNKNOWN}
Column = Sequence[float | None]


def aggregate(tiles: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics over seeds and paired gains of every model and metric.

    Args:
        tiles: ``names``, ``blocks`` and ``scenes`` by name, ``baselines[method][metric]`` and
            ``models[model][seed][metric]``: a value per tile, None where there is none.
        metrics: By name, with ``better``.

    Returns:
        ``baselines[method][metric]``, the mean over tiles, and ``models[model][metric]``.
    """
    places = {key: [tiles[key][name] for name in tiles["names"]] for key in ("blocks", "scenes")}
    undefined = {name: undefined_alike(_every(tiles, name)) for name in metrics}
    models = {
        model: {
            name: _one(
                [seeds[seed][name] for seed in seeds],
                {method: columns[name] for method, columns in tiles["baselines"].items()},
                better=info["better"],
                undefined=undefined[name],
                **places,
            )
            for name, info in metrics.items()
        }
        for model, seeds in tiles["models"].items()
    }
    baselines = {
        method: {name: statistics(_floats(columns[name])).mean for name in metrics}
        for method, columns in tiles["baselines"].items()
    }
    return {"baselines": baselines, "models": models}


def _every(tiles: Mapping[str, Any], metric: str) -> list[list[float]]:
    """The column of a metric of every baseline, and of every model and seed."""
    runs = [run for seeds in tiles["models"].values() for run in seeds.values()]
    return [_floats(columns[metric]) for columns in [*tiles["baselines"].values(), *runs]]


def _one(runs: Sequence[Column], baselines: Mapping[str, Column], **options: Any) -> dict[str, Any]:
    """One model and metric; ``runs`` has a column of tiles per seed."""
    columns = np.array([_floats(run) for run in runs])
    means = [statistics(column).mean for column in columns]
    over_seeds = statistics([math.nan if mean is None else mean for mean in means])
    return {
        "mean": over_seeds.mean,
        "std": over_seeds.std,
        "seeds": means,
        "gain": {
            method: _gain(columns, _floats(values), **options)
            for method, values in baselines.items()
        },
    }


def _gain(columns: np.ndarray, baseline: Sequence[float], **options: Any) -> dict[str, Any]:
    """Gain of the mean over seeds, tile by tile, and how many seeds gain by themselves."""

    def paired(values: np.ndarray) -> Gain:
        return gain(values.tolist(), baseline, seed=0, key="seeds", **options)

    # A difference of means is the mean of differences: averaging before pairing loses nothing.
    item = paired(columns.mean(axis=0))
    each = [paired(column).mean for column in columns]
    return {
        "mean": item.mean,
        "t_low": item.t_low,
        "t_high": item.t_high,
        "verdict": WORDS[item.verdict],
        "note": item.note,
        "seeds": each,
        "seeds_better": sum(mean is not None and mean > 0 for mean in each),
        "count": item.count,
        "left_out": item.left_out,
        "over": item.over,
    }


def _floats(values: Column) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def render(results: Mapping[str, Any]) -> str:
    """The part of docs/real_run.md between the two markers."""
    lines = [f"Against bicubic, on the mean of the seeds{_limits(results)}:", ""]
    lines += [_words(model, results) for model in results["results"]["models"]]
    for model in results["results"]["models"]:
        lines += ["", *_table(model, results)]
    return "\n".join(lines)


def _limits(results: Mapping[str, Any]) -> str:
    """What the intervals are taken over and limited to: ``, over 6 blocks, for …``."""
    models = results["results"]["models"].values()
    items = [row["gain"][REFERENCE] for rows in models for row in rows.values()]
    told = {", ".join(filter(None, (item["over"], item["note"]))) for item in items if item["over"]}
    return f", intervals over {' or '.join(sorted(told))}" if told else ""


def _words(model: str, results: Mapping[str, Any]) -> str:
    """Where a model wins, loses and does neither, in words."""
    rows = results["results"]["models"][model]
    said = {WINS: "wins on", EQUAL: "shows no clear difference on", LOSES: "**loses** on"}
    said[UNKNOWN] = "has no verdict on"
    parts = []
    for sign, phrase in said.items():
        names = [
            results["metrics"][name]["label"]
            for name, row in rows.items()
            if row["gain"][REFERENCE]["verdict"] == sign
        ]
        if names:
            every = "every metric" if len(names) == len(rows) else _listed(names)
            parts.append(f"{phrase} {every}")
    return f"- `{model}` {'; '.join(parts)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(model: str, results: Mapping[str, Any]) -> list[str]:
    """The table of one model, a row per metric."""
    found, settings = results["results"], results["settings"][model]
    rows = found["models"][model]
    count = len(results["tiles"]["models"][model])
    methods = list(found["baselines"])
    shared = {method: _shared_note(rows, method) for method in methods[::-1]}
    gains = [
        f"gain over {method}, 95 % interval | seeds | {' '.join(filter(None, ('verdict', note)))}"
        for method, note in shared.items()
    ]
    head = f"| metric | {model}, mean ± std of {count} seeds | " + " | ".join([*methods, *gains])
    width = 2 + len(methods) * 4
    lines = [f"**{model}**, {settings['steps']} steps of {settings['batch_size']} tiles:", ""]
    lines += [head + " |", "|" + "---|" * width]
    for name, row in rows.items():
        info = results["metrics"][name]
        cells = [f"{info['label']} {ARROWS[info['better']]} [{info['unit']}]"]
        cells.append(f"{_number(row['mean'], '.4g')} ± {_number(row['std'], '.2g')}")
        cells += [_number(found["baselines"][method][name], ".4g") for method in methods]
        cells += [_gain_cells(row["gain"][method], count, note) for method, note in shared.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _shared_note(rows: Mapping[str, Any], method: str) -> str:
    """What limits every interval over a method; empty if they are not limited alike."""
    items = [row["gain"][method] for row in rows.values()]
    notes = {item["note"] for item in items if item["over"]}
    return notes.pop() if len(notes) == 1 else ""


def _gain_cells(item: Mapping[str, Any], seeds: int, shared: str) -> str:
    """Mean with interval, seeds that gain, verdict; the heading says the shared note."""
    low, high = _number(item["t_low"], "+.3g"), _number(item["t_high"], "+.3g")
    sign = f"**{item['verdict']}**" if item["verdict"] == LOSES else item["verdict"]
    total = item["count"] + item["left_out"]
    part = f", {item['count']} of {total} tiles" if item["left_out"] else ""
    spread = f" ({low} to {high})" if item["over"] else ""
    told = " ".join(filter(None, (sign, "" if item["note"] == shared else item["note"])))
    mean = _number(item["mean"], "+.3g")
    return f"{mean}{spread}{part} | {item['seeds_better']}/{seeds} | {told}"


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def insert(page: str, part: str, begin: str = BEGIN, end: str = END) -> str:
    """The page with ``part`` between its markers.

    Raises:
        ValueError: The page has not exactly one of each, in order.
    """
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page must hold one line '{begin}' and below it one '{end}'")
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{part}\n\n{end}{rest.split(end)[1]}"


def json_text(content: Any, indent: str = "") -> str:
    """JSON with an entry of every object on its own line and every list on one."""
    if not isinstance(content, Mapping):
        return json.dumps(content, ensure_ascii=False, allow_nan=False)
    inner = indent + "  "
    entries = [
        f"{inner}{json.dumps(key, ensure_ascii=False)}: {json_text(value, inner)}"
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
