"""What the leaderboard says of the values of every tile: gains, goals and tables.

Nothing here reads a file, so that the page can be held against the results in a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.seeds_table import REFERENCE, aggregate

BEGIN = "<!-- leaderboard: begin, written by python -m benchmarks.recipes -->"
END = "<!-- leaderboard: end -->"
METRICS = ("hpsi", "uiqi", "ssim", "psnr", "lsd_hf")
MUST_GAIN = ("hpsi", "uiqi", "ssim")
PSNR_DB = {False: -0.3, True: -1.0}  # lowest lower end of the gain, without and with an adversary
MOST_CPU_MINUTES = 10.0
LEAST_SHARE = 0.01
SPECTRUM = "lsd_hf"
Item = Mapping[str, Any]


def only(tiles: Item, metrics: Item) -> dict[str, Any]:
    """The values of some metrics alone."""
    return {
        "names": tiles["names"],
        "baselines": {
            method: {name: columns[name] for name in metrics}
            for method, columns in tiles["baselines"].items()
        },
        "models": {
            model: {
                seed: {name: columns[name] for name in metrics} for seed, columns in runs.items()
            }
            for model, runs in tiles["models"].items()
        },
    }


def summary(entry: Item) -> dict[str, Any]:
    """Gains over bicubic, the gain in the spectrum over the twin, and whether the goal is met."""
    found = aggregate(entry["tiles"], entry["metrics"])
    gains = {name: row["gain"][REFERENCE] for name, row in found["models"]["recipe"].items()}
    twin = against_twin(entry["tiles"], entry["metrics"][SPECTRUM])
    shares = [share for share in entry["adversarial_share"].values() if share is not None]
    share = sum(shares) / len(shares) if shares else None
    failed = failures(gains, twin, share, max(entry["cpu_minutes"].values()))
    return {"gains": gains, "twin": twin, "share": share, "failed": failed}


def against_twin(tiles: Item, info: Item) -> dict[str, Any] | None:
    """Paired gain of a recipe over its twin in the spectrum's error, seed with seed, tile by tile.

    The differences are averaged over the seeds; None without a twin.
    """
    if "twin" not in tiles["models"]:
        return None
    pairs = {
        seed: _difference(columns[SPECTRUM], tiles["models"]["twin"][seed][SPECTRUM])
        for seed, columns in tiles["models"]["recipe"].items()
    }
    zero = {"twin": {SPECTRUM: [0.0] * len(tiles["names"])}}
    models = {"recipe": {seed: {SPECTRUM: column} for seed, column in pairs.items()}}
    found = aggregate({**tiles, "baselines": zero, "models": models}, {SPECTRUM: info})
    item: dict[str, Any] = found["models"]["recipe"][SPECTRUM]["gain"]["twin"]
    return item


def _difference(
    first: Sequence[float | None], second: Sequence[float | None]
) -> list[float | None]:
    pairs = zip(first, second, strict=True)
    return [None if a is None or b is None else a - b for a, b in pairs]


def failures(gains: Item, twin: Item | None, share: float | None, cpu_minutes: float) -> list[str]:
    """Which parts of the goal a recipe misses; none: it is met."""
    missed = [f"{name} interval" for name in MUST_GAIN if not _above(gains[name], 0.0)]
    missed += [
        f"{name} seeds"
        for name in MUST_GAIN
        if gains[name]["seeds_better"] < len(gains[name]["seeds"])
    ]
    if not _above(gains["psnr"], PSNR_DB[twin is not None]):
        missed.append("psnr lower end")
    if cpu_minutes > MOST_CPU_MINUTES:
        missed.append("CPU minutes")
    if twin is not None and not _above(twin, 0.0):
        missed.append("spectrum against its twin")
    if twin is not None and (share is None or share < LEAST_SHARE):
        missed.append("adversarial share")
    return missed


def _above(item: Item, least: float) -> bool:
    """Whether the interval lies above a value; without an interval nothing is shown."""
    return item["t_low"] is not None and item["t_low"] > least


def words(entry: Item) -> str:
    """One recipe in one line."""
    found = entry["results"]
    parts = [f"{name} {_gain(found['gains'][name])}" for name in found["gains"]]
    if found["twin"] is not None:
        parts.append(f"spectrum over its twin {_gain(found['twin'])}")
        parts.append(f"adversarial share {_share(found['share'])}")
    verdict = "goal met" if not found["failed"] else "misses " + ", ".join(found["failed"])
    return f"{entry['recipe']} on {entry['split']}: {'; '.join(parts)}: {verdict}"


def render(leaderboard: Sequence[Item], tried: Sequence[Item]) -> str:
    """The part of docs/leaderboard.md between its markers."""
    scene = [entry for entry in leaderboard if entry["places"] is None]
    chips = [entry for entry in leaderboard if entry["places"] is not None]
    lines = [f"Recipes tried on val: {len(tried)}. Scorings on test: {len(scene)}.", ""]
    lines += ["**Tile T29UNU at 60 m** (this scene only)", "", *_scene(scene)]
    if chips:
        lines += ["", "**Level-2A chips at 10 m** (three places: no interval)", "", *_chips(chips)]
    return "\n".join(lines)


def _scene(entries: Sequence[Item]) -> list[str]:
    names = entries[0]["metrics"] if entries else {}
    head = ["recipe", "steps", "CPU min", *(_label(names[name]) for name in names)]
    head += ["spectrum over its twin", "adversarial share", "goal", "commit", "command"]
    rows = [_row(entry) for entry in entries]
    return _table(head, rows) if rows else ["No recipe was scored yet."]


def _row(entry: Item) -> list[str]:
    found = summary(entry)
    minutes = entry["cpu_minutes"].values()
    again = f" (again: {entry['again']})" if entry["again"] else ""
    cells = [f"`{entry['recipe']}`{again}", str(entry["steps"])]
    cells.append(f"{sum(minutes) / len(minutes):.1f}, at most {max(minutes):.1f}")
    cells += [_gain(found["gains"][name]) for name in entry["metrics"]]
    cells += [_gain(found["twin"]) if found["twin"] else "–", _share(found["share"])]
    cells.append("met" if not found["failed"] else "misses " + ", ".join(found["failed"]))
    code = ", ".join(word[:7] + word[40:] for word in entry["code"])
    return [*cells, code, f"`{entry['command']}`"]


def _chips(entries: Sequence[Item]) -> list[str]:
    names = entries[0]["metrics"]
    head = ["recipe", "trained without", "tiles", "CPU min", *(_label(names[n]) for n in names)]
    head += ["spectrum over its twin"]
    rows = []
    for entry in entries:
        found, minutes = summary(entry), entry["cpu_minutes"].values()
        cells = [f"`{entry['recipe']}`", entry["places"], str(len(entry["tiles"]["names"]))]
        cells.append(f"{sum(minutes) / len(minutes):.1f}")
        cells += [_mean(found["gains"][name]) for name in names]
        rows.append([*cells, _mean(found["twin"]) if found["twin"] else "–"])
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _label(info: Item) -> str:
    return f"gain in {info['label']} [{info['unit']}]"


def _gain(item: Item) -> str:
    """Mean with its interval, and how many seeds gain."""
    if item["t_low"] is None:
        return _mean(item)
    return _mean(item, f" ({item['t_low']:+.3g} to {item['t_high']:+.3g})")


def _mean(item: Item, interval: str = "") -> str:
    if item["mean"] is None:
        return "–"
    return f"{item['mean']:+.3g}{interval}, {item['seeds_better']}/{len(item['seeds'])}"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
