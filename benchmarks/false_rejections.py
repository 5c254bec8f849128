"""How often tests of a gain reject a true null, on simulated tiles that are alike in blocks.

    python -m benchmarks.false_rejections

One test: the difference of every tile is noise of standard deviation 1 and the effect of its block;
the true gain is 0, so a test at 5 % may reject in 5 % of the runs. Held against each other are
Wilcoxon's signed rank of tiles, as is often published, that of block means, and the t of the
evaluation. One table: 13 metrics of 4 methods, whose differences depend on each other as those of
one image do; counted are tables with any false verdict, before and after Holm's correction, and how
often the one gain that is real (one metric of one method) is found. Blocks hold as many tiles each,
or as many as those of real test splits, where the t with G - 1 degrees of freedom is shown beside.
Takes seconds; returns 1 where a test that reports use rejects more than it may.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files  # noqa: E402 - after the path above
from sensor2sensor.core.clustered import (  # noqa: E402
    holm,
    p_value,
    signed_rank,
    sums_over,
    t_interval,
)

RESULTS = ROOT / "benchmarks" / "results" / "false_rejections.json"
RUNS = 4000
FAMILIES = 1000
LEVEL = 0.05
SHAPES = ((10, 8), (16, 8), (40, 8))  # blocks x tiles of each
# Tiles of the blocks of real test splits (one scene, the demo, another scene, clouds); extremes.
UNEQUAL = (
    *((9, 8, 6, 4, 2, 1), (9, 7, 5, 3, 2, 2, 1, 1), (5, 4, 2, 1, 1), (27, 25, 21, 15, 12, 8)),
    *((24, 3, 2, 1), (40, 4, 4, 4, 4, 4, 4, 4, 4, 4)),
)
EFFECTS = (0.3, 0.4, 0.5)  # of a block: 8, 14 and 20 % of the variance of a tile
METRICS, METHODS = 13, 4
# How much of a difference all metrics of a method share; the real gain, in noise of a tile.
SHARED, REAL = 0.7, 1.0
BOUND = 0.065  # 5 %, what 4,000 runs leave open of it, and the t's own error with ten blocks


Test = Callable[[np.ndarray, list[str]], np.ndarray]


def groups_of(sizes: Sequence[int]) -> list[str]:
    """Block of each tile."""
    return [f"{block:03d}" for block, size in enumerate(sizes) for _ in range(size)]


def rejections(
    blocks: int, tiles: int, effect: float, *, runs: int = RUNS, seed: int = 0
) -> dict[str, Any]:
    """Share of runs in which each test rejects "no difference", which is true in all."""
    values, groups = _drawn((tiles,) * blocks, effect, runs, seed)
    ranked = signed_rank(values, groups)
    assert ranked is not None  # no shape has fewer than ten blocks
    every = [f"{tile:05d}" for tile in range(blocks * tiles)]
    by_tile = signed_rank(values, every)
    assert by_tile is not None
    found = {
        "signed_rank_of_tiles": _share(by_tile),
        "signed_rank_of_block_means": _share(ranked),
        "t": _share(p_value(*t_interval(values, [groups]))),
    }
    holds = max(found["signed_rank_of_block_means"], found["t"]) <= BOUND
    return {"blocks": blocks, "tiles": tiles, "effect": effect, **found, "holds": holds}


def unequal(sizes: Sequence[int], effect: float, *, seed: int = 0) -> dict[str, Any]:
    """The same of blocks that hold so many tiles: the t, as it is with G - 1, and whole tables."""
    values, groups = _drawn(sizes, effect, RUNS, seed)
    found, naive = (_share(test(values, groups)) for test in (_t, _naive))
    table, before = (
        tables(sizes, effect, seed=seed, test=test)["tables_with_a_false_verdict"]["holm"]
        for test in (_t, _naive)
    )
    return {
        "sizes": list(sizes), "effect": effect, "t": found, "t_of_liang_and_zeger": naive,
        "tables_with_a_false_verdict": table, "tables_of_liang_and_zeger": before,
        "holds": max(found, table) <= BOUND,
    }  # fmt: skip


def _t(values: np.ndarray, groups: list[str]) -> np.ndarray:
    """p-values ``[...]`` of the test of the report."""
    return p_value(*t_interval(values, [groups]))


def _naive(values: np.ndarray, groups: list[str]) -> np.ndarray:
    """Those with the variance of Liang & Zeger 1986 and G - 1 degrees of freedom."""
    mean, count = values.mean(axis=-1), len(set(groups))
    sums = sums_over(values - mean[..., None], groups)
    error = np.sqrt(count / (count - 1) * (sums**2).sum(axis=-1)) / len(groups)
    return np.asarray(2 * student.sf(np.abs(mean) / error, count - 1))


def _drawn(
    sizes: Sequence[int], effect: float, runs: int, seed: int
) -> tuple[np.ndarray, list[str]]:
    """Differences ``[runs, tiles]`` without a gain, and the block of each tile."""
    generator, groups = np.random.default_rng(seed), groups_of(sizes)
    own = generator.normal(0, effect, (runs, len(sizes))).repeat(sizes, axis=1)
    return own + generator.normal(0, 1, (runs, len(groups))), groups


def crossed(
    blocks: int = 12, scenes: int = 12, effect: float = 0.5, *, runs: int = RUNS, seed: int = 0
) -> dict[str, Any]:
    """The same where every scene shows every block and both have an effect.

    A signed rank of block means takes what a scene does to all of them for a gain, so reports give
    none; the t counts both kinds.
    """
    generator = np.random.default_rng(seed)
    of_block = generator.normal(0, effect, (runs, blocks)).repeat(scenes, axis=1)
    of_scene = np.tile(generator.normal(0, effect, (runs, scenes)), (1, blocks))
    values = of_block + of_scene + generator.normal(0, 1, (runs, blocks * scenes))
    groups = groups_of((scenes,) * blocks)
    acquired = [f"{scene:03d}" for _ in range(blocks) for scene in range(scenes)]
    ranked = signed_rank(values, groups)
    assert ranked is not None
    t = _share(p_value(*t_interval(values, [groups, acquired])))
    found = {"signed_rank_of_block_means": _share(ranked), "t": t}
    return {"blocks": blocks, "scenes": scenes, "effect": effect, **found, "holds": t <= BOUND}


def _share(p: np.ndarray) -> float:
    return float((p < LEVEL).mean())


def tables(
    sizes: Sequence[int],
    effect: float,
    *,
    runs: int = FAMILIES,
    seed: int = 0,
    test: Test | None = None,
) -> dict[str, Any]:
    """Tables of all metrics and methods: how many hold a false verdict, and the real gain."""
    generator, groups = np.random.default_rng(seed), groups_of(sizes)
    false = {"uncorrected": 0, "holm": 0}
    real = {"uncorrected": 0, "holm": 0}
    for _ in range(runs):
        values = _table(generator, sizes, effect)
        p = (test or _t)(values, groups).ravel()
        for kind, corrected in (("uncorrected", p), ("holm", holm(p))):
            rejected = corrected < LEVEL
            real[kind] += int(rejected[0])
            false[kind] += int(rejected[1:].any())
    shares = {kind: count / runs for kind, count in false.items()}
    return {
        "sizes": list(sizes),
        "effect": effect,
        "tests": METRICS * METHODS,
        "tables_with_a_false_verdict": shares,
        "real_gain_found": {kind: count / runs for kind, count in real.items()},
        "holds": shares["holm"] <= BOUND,
    }


def _table(generator: np.random.Generator, sizes: Sequence[int], effect: float) -> np.ndarray:
    """Differences ``[methods, metrics, tiles]``; the first metric of the first method gained."""

    def drawn(*shape: int) -> np.ndarray:
        own = generator.normal(0, effect, (*shape, len(sizes))).repeat(sizes, axis=-1)
        return own + generator.normal(0, 1, (*shape, sum(sizes)))

    common = drawn(METHODS, 1)
    values = np.sqrt(SHARED) * common + np.sqrt(1 - SHARED) * drawn(METHODS, METRICS)
    values[0, 0] += REAL
    return values


def main() -> int:
    """Simulate, print and write the shares; returns the exit code."""
    rows = [rejections(*shape, effect) for shape in SHAPES for effect in EFFECTS]
    print("blocks x tiles, effect of a block: share of true nulls rejected at 5 %")
    print(f"{'':22s} signed rank of tiles   of block means        t")
    for row in rows:
        print(
            f"{row['blocks']:5d} x {row['tiles']:<3d} {row['effect']:9.2f}"
            f" {row['signed_rank_of_tiles']:20.1%} {row['signed_rank_of_block_means']:16.1%}"
            f" {row['t']:8.1%}{'' if row['holds'] else '  REJECTS TOO OFTEN'}"
        )
    both = crossed()
    print(
        f"{both['blocks']} blocks x {both['scenes']} scenes, both of effect {both['effect']}:"
        f" signed rank of block means {both['signed_rank_of_block_means']:.1%}, t {both['t']:.1%}"
    )
    few = [unequal(sizes, EFFECTS[-1]) for sizes in UNEQUAL]
    print("tiles of each block: t, that of Liang & Zeger with G - 1 | tables with a false verdict")
    for row in few:
        print(
            f"{row['sizes']!s:40s} {row['t']:6.1%} {row['t_of_liang_and_zeger']:6.1%} |"
            f" {row['tables_with_a_false_verdict']:6.1%} {row['tables_of_liang_and_zeger']:6.1%}"
        )
    families = [tables((tiles,) * blocks, EFFECTS[0]) for blocks, tiles in SHAPES]
    print(
        f"tables of {METRICS} metrics x {METHODS} methods: with a false verdict | real gain found"
    )
    for row in families:
        false, real = row["tables_with_a_false_verdict"], row["real_gain_found"]
        blocks, tiles = len(row["sizes"]), row["sizes"][0]
        print(
            f"{blocks:5d} x {tiles:<3d} uncorrected {false['uncorrected']:6.1%},"
            f" Holm {false['holm']:5.1%} | {real['uncorrected']:6.1%}, {real['holm']:6.1%}"
        )
    content = {
        "runs": RUNS,
        "families": FAMILIES,
        "tests": rows,
        "crossed": both,
        "unequal": few,
        "tables": families,
    }
    files.write_json(RESULTS, content)
    return 0 if all(row["holds"] for row in [*rows, both, *few, *families]) else 1


if __name__ == "__main__":
    sys.exit(main())
