"""What benchmarks.seeds makes of the values of every tile: statistics, verdicts and tables.

Nothing here reads a file, so that the page can be held against the results in a test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sensor2sensor.evaluation.summary import Gain, clusters_of, gain, statistics

BEGIN = "<!-- seeds: begin, written by python -m benchmarks.seeds -->"
END = "<!-- seeds: end -->"
ARROWS = {"higher": "↑", "lower": "↓"}
REFERENCE = "bicubic"
WINS, LOSES, EQUAL, UNKNOWN = "wins", "loses", "=", "–"
Column = Sequence[float | None]


def aggregate(tiles: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics over seeds and paired gains of every model and metric.

    Args:
        tiles: ``names``, ``blocks`` by name, ``baselines[method][metric]`` and
            ``models[model][seed][metric]``: a value per tile, None where there is none.
        metrics: By name, with ``better``.

    Returns:
        ``baselines[method][metric]``, the mean over tiles, and ``models[model][metric]``.
    """
    blocks = [tiles["blocks"][name] for name in tiles["names"]]
    models = {
        model: {
            name: _one(
                [seeds[seed][name] for seed in seeds],
                {method: columns[name] for method, columns in tiles["baselines"].items()},
                better=info["better"],
                blocks=blocks,
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


def _one(
    runs: Sequence[Column],
    baselines: Mapping[str, Column],
    *,
    better: str,
    blocks: Sequence[str],
) -> dict[str, Any]:
    """One model and metric; ``runs`` has a column of tiles per seed."""
    columns = np.array([_floats(run) for run in runs])
    means = [statistics(column).mean for column in columns]
    over_seeds = statistics([math.nan if mean is None else mean for mean in means])
    return {
        "mean": over_seeds.mean,
        "std": over_seeds.std,
        "seeds": means,
        "gain": {
            method: _gain(columns, _floats(values), better, blocks)
            for method, values in baselines.items()
        },
    }


def _gain(
    columns: np.ndarray, baseline: Sequence[float], better: str, blocks: Sequence[str]
) -> dict[str, Any]:
    """Gain of the mean over seeds, tile by tile, and how many seeds gain by themselves."""
    unit, groups = clusters_of(blocks, [""] * len(blocks))

    def paired(values: np.ndarray) -> Gain:
        return gain(
            values.tolist(), baseline, better=better, groups=groups, unit=unit, seed=0, key="seeds"
        )

    # A difference of means is the mean of differences: averaging before pairing loses nothing.
    item = paired(columns.mean(axis=0))
    each = [paired(column).mean for column in columns]
    return {
        "mean": item.mean,
        "t_low": item.t_low,
        "t_high": item.t_high,
        "verdict": verdict(item.t_low, item.t_high),
        "seeds": each,
        "seeds_better": sum(mean is not None and mean > 0 for mean in each),
        "count": item.count,
        "left_out": item.left_out,
        "clusters": item.clusters,
        "cluster_unit": item.cluster_unit,
    }


def verdict(low: float | None, high: float | None) -> str:
    """``wins`` where the interval lies above zero, ``loses`` below, ``=`` where it includes it."""
    if low is None or high is None:
        return UNKNOWN
    if low > 0:
        return WINS
    return LOSES if high < 0 else EQUAL


def _floats(values: Column) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def render(results: Mapping[str, Any]) -> str:
    """The part of docs/real_run.md between the two markers."""
    lines = ["Against bicubic, on the mean of the seeds:", ""]
    lines += [_words(model, results) for model in results["results"]["models"]]
    for model in results["results"]["models"]:
        lines += ["", *_table(model, results)]
    return "\n".join(lines)


def _words(model: str, results: Mapping[str, Any]) -> str:
    """Where a model wins, loses and does neither, in words."""
    rows = results["results"]["models"][model]
    said = {WINS: "wins on", EQUAL: "shows no clear difference on", LOSES: "**loses** on"}
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
    return f"- `{model}` {'; '.join(parts) or 'cannot be compared'}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _table(model: str, results: Mapping[str, Any]) -> list[str]:
    """The table of one model, a row per metric."""
    found, settings = results["results"], results["settings"][model]
    rows = found["models"][model]
    count = len(results["tiles"]["models"][model])
    methods = list(found["baselines"])
    gains = [f"gain over {method}, 95 % interval | seeds | verdict" for method in methods[::-1]]
    head = f"| metric | {model}, mean ± std of {count} seeds | " + " | ".join([*methods, *gains])
    width = 2 + len(methods) * 4
    lines = [f"**{model}**, {settings['steps']} steps of {settings['batch_size']} tiles:", ""]
    lines += [head + " |", "|" + "---|" * width]
    for name, row in rows.items():
        info = results["metrics"][name]
        cells = [f"{info['label']} {ARROWS[info['better']]} [{info['unit']}]"]
        cells.append(f"{_number(row['mean'], '.4g')} ± {_number(row['std'], '.2g')}")
        cells += [_number(found["baselines"][method][name], ".4g") for method in methods]
        cells += [_gain_cells(row["gain"][method], count) for method in methods[::-1]]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _gain_cells(item: Mapping[str, Any], seeds: int) -> str:
    """Mean with interval, seeds that gain, verdict."""
    low, high = _number(item["t_low"], "+.3g"), _number(item["t_high"], "+.3g")
    sign = f"**{item['verdict']}**" if item["verdict"] == LOSES else item["verdict"]
    left_out = f", {item['left_out']} tiles without a value" if item["left_out"] else ""
    mean = _number(item["mean"], "+.3g")
    return f"{mean} ({low} to {high}){left_out} | {item['seeds_better']}/{seeds} | {sign}"


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


def extract(page: str, begin: str = BEGIN, end: str = END) -> str:
    """What stands between the markers of a page."""
    return page.split(begin)[1].split(end)[0].strip("\n")


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
