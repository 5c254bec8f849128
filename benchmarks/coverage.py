"""Coverage of the 95 % interval of a gain, simulated, beside that of one over blocks alone.

    python -m benchmarks.coverage

Every tile's difference is tile noise plus the effect of its block, of its scene, of both or of
neither, each of standard deviation 1; the true gain is 0. An interval that keeps its word covers it
in 95 % of 2,000 runs. Both intervals are taken by the code of the evaluation, on the same runs.
Scenes cross blocks, or lie in one block each (sites of their own overpasses), or blocks in scenes.
Takes seconds; returns 1 where a coverage leaves its bounds.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files  # noqa: E402 - after the path above
from sensor2sensor.core.clustered import clusters_of, limits_of, t_interval  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "coverage.json"
RUNS = 2000
TILES = 4  # of a cell of one block and one scene; on average where cells are unequal
SHAPES = ((12, 4), (4, 12), (12, 12))  # blocks x scenes
EFFECTS = {"none": (0.0, 0.0), "block": (1.0, 0.0), "scene": (0.0, 1.0), "both": (1.0, 1.0)}
NESTED = ("scenes in blocks", "blocks in scenes")
LARGE, SMALL = 12, 4  # groups, and parts of each that lie in it alone
BOUNDS = {"none": (0.93, 1.0), "equal": (0.93, 0.97), "unequal": (0.93, 1.0)}


@dataclass(frozen=True)
class Design:
    """Where the tiles of every run lie.

    Attributes:
        blocks: Number of blocks.
        scenes: Number of scenes; each shows every block where cells are equal.
        block: Block of each tile.
        scene: Scene of each tile.
        equal: Whether every cell holds as many tiles.
        nested: What lies within what, of :data:`NESTED`; empty where scenes cross blocks.
    """

    blocks: int
    scenes: int
    block: np.ndarray
    scene: np.ndarray
    equal: bool
    nested: str = ""

    @property
    def cells(self) -> str:
        """What a cell is, for the table."""
        return self.nested or ("equal" if self.equal else "unequal")

    def bounds(self, effect: str) -> tuple[float, float]:
        """What the coverage has to lie in; only crossed groups without an effect count it twice."""
        if not self.equal:
            return BOUNDS["unequal"]
        return BOUNDS["none" if effect == "none" and not self.nested else "equal"]


def design(blocks: int, scenes: int, *, equal: bool = True, seed: int = 0) -> Design:
    """Tiles in the cells of blocks and scenes, ``TILES`` in each or geometrically many (0 too)."""
    cells = list(product(range(blocks), range(scenes)))
    counts = np.full(len(cells), TILES)
    if not equal:
        counts = np.random.default_rng(seed).geometric(1 / (TILES + 1), len(cells)) - 1
    block, scene = np.repeat(np.array(cells), counts, axis=0).T
    return Design(blocks, scenes, block, scene, equal)


def nested(kind: str) -> Design:
    """``SMALL`` groups within each of ``LARGE`` larger ones, ``TILES`` tiles in each."""
    small = np.repeat(np.arange(LARGE * SMALL), TILES)
    large = small // SMALL
    if kind == "scenes in blocks":
        return Design(LARGE, LARGE * SMALL, large, small, equal=True, nested=kind)
    return Design(LARGE * SMALL, LARGE, small, large, equal=True, nested=kind)


def differences(
    where: Design, effect: str, generator: np.random.Generator, runs: int
) -> tuple[np.ndarray, np.ndarray]:
    """The difference of every tile ``[runs, tiles]``, and the effect of its scene."""
    of_block, of_scene = EFFECTS[effect]
    block = generator.normal(0, of_block, (runs, where.blocks))[:, where.block]
    scene = generator.normal(0, of_scene, (runs, where.scenes))[:, where.scene]
    return block + scene + generator.normal(0, 1, block.shape), scene


def covered(values: np.ndarray, clusters: list[np.ndarray], truth: Any = 0.0) -> float:
    """Share of the runs whose interval holds the truth."""
    low, high, _ = t_interval(values, [groups.tolist() for groups in clusters])
    return float(((low <= truth) & (truth <= high)).mean())


def simulate(where: Design, effect: str, *, runs: int = RUNS, seed: int = 0) -> dict[str, Any]:
    """Coverage of the evaluation's interval and of the one over blocks alone."""
    values, _ = differences(where, effect, np.random.default_rng(seed), runs)
    clusters = clusters_of(where.block.tolist(), where.scene.tolist())
    low, high = where.bounds(effect)
    found = covered(values, [np.asarray(groups) for groups in clusters.values()])
    return {
        "blocks": where.blocks,
        "scenes": where.scenes,
        "cells": where.cells,
        "effect": effect,
        "coverage": found,
        "blocks_alone": covered(values, [where.block]),
        "bounds": [low, high],
        "holds": low <= found <= high,
    }


def few_scenes(*, runs: int = RUNS, seed: int = 0) -> dict[str, Any]:
    """Two scenes of six blocks: the label, and coverage of the gain in these two and in any."""
    where = design(6, 2)
    values, scene = differences(where, "both", np.random.default_rng(seed), runs)
    label = limits_of(where.block.tolist(), where.scene.tolist())
    own = covered(values, [where.block], scene.mean(axis=1))
    return {
        "blocks": 6,
        "scenes": 2,
        "cells": "equal",
        "effect": "both",
        "label": label,
        "coverage_in_these_scenes": own,
        "coverage_in_any_scene": covered(values, [where.block]),
        "holds": label == "for these 2 scenes only" and BOUNDS["equal"][0] <= own,
    }


def main() -> int:
    """Simulate every design, print and write the coverages; returns the exit code."""
    designs = [design(*shape, equal=equal) for equal in (True, False) for shape in SHAPES]
    designs += map(nested, NESTED)
    rows = [simulate(where, effect) for where in designs for effect in EFFECTS]
    print("blocks x scenes, cells, effect: coverage of the 95 % interval, over blocks alone, ratio")
    for row in rows:
        now, before, bounds = row["coverage"], row["blocks_alone"], row["bounds"]
        print(
            f"{row['blocks']:3d} x {row['scenes']:<3d} {row['cells']:16s} {row['effect']:6s}"
            f" {now:6.1%} {before:6.1%} {now / before:5.2f}"
            f"  {'holds' if row['holds'] else f'LEAVES {bounds[0]:.0%} to {bounds[1]:.0%}'}"
        )
    few = few_scenes()
    print(
        f"  6 x 2   labelled “{few['label']}”: {few['coverage_in_these_scenes']:.1%} there,"
        f" {few['coverage_in_any_scene']:.1%} in any scene"
    )
    files.write_json(RESULTS, {"runs": RUNS, "designs": rows, "few_scenes": few})
    return 0 if all(row["holds"] for row in [*rows, few]) else 1


if __name__ == "__main__":
    sys.exit(main())
