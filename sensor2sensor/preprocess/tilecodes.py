"""Step 10: which tiles the Sentinel-2 archive holds, and how many products of each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensor2sensor.core import cli, files
from sensor2sensor.core.streams import escaped
from sensor2sensor.core.versions import __version__

if TYPE_CHECKING:
    from sensor2sensor.config.environment import Environment
    from sensor2sensor.products.sentinel2 import S2Product

DOC = """List the tile codes of the Sentinel-2 archive with the number of products of each level,
and note what could not be read in _inventory/tilecodes.json.

  python -m sensor2sensor.preprocess.tilecodes
"""
MANIFEST = "tilecodes.json"


@dataclass(frozen=True)
class TileCode:
    """Products of one tile; `first` and `last` are days of sensing (ISO)."""

    tile: str
    products: int
    l1c: int
    l2a: int
    first: str
    last: str


@dataclass(frozen=True)
class TileCodes:
    """All tiles, the most frequent first, and (path, reason) of what could not be read."""

    tiles: Sequence[TileCode]
    unreadable: Sequence[tuple[str, str]]

    def table(self) -> str:
        """The tiles as text, a line each."""
        line = "{:<8}{:>10}{:>8}{:>8}  {:<12}{:<12}"
        head = line.format("tile", "products", "L1C", "L2A", "first", "last")
        rows = [line.format(t.tile, t.products, t.l1c, t.l2a, t.first, t.last) for t in self.tiles]
        bad = [f"unreadable: {path}: {reason}" for path, reason in self.unreadable]
        return escaped("\n".join(text.rstrip() for text in [head, *rows, *bad]))


def count_tile_codes(s2_root: Path, *, workers: int = 1, memory: Path | None = None) -> TileCodes:
    """Count the products of each tile below an archive, by content.

    Args:
        s2_root: The archive.
        workers: Processes.
        memory: The folder `_inventory`, where what is found is known to the next run and step 20.

    Raises:
        InputError: There is no such folder.
    """
    from sensor2sensor.products.discovery import find
    from sensor2sensor.products.examination import Search

    found, damaged = find(Search(s2_root, "S2"), workers=workers, memory=memory)
    by_tile: dict[str, list[S2Product]] = {}
    # By the metadata: folders of archives have any name.
    for one in found:
        by_tile.setdefault(one.product.tile, []).append(one.product)
    tiles = [_tile(tile, products) for tile, products in by_tile.items()]
    tiles.sort(key=lambda one: (-one.products, one.tile))
    bad = [(one.item.relative_to(s2_root).as_posix(), one.reason) for one in damaged]
    return TileCodes(tiles, sorted(bad))


def _tile(tile: str, products: Sequence[S2Product]) -> TileCode:
    levels = [product.level for product in products]
    days = sorted(product.sensing_start.date().isoformat() for product in products)
    l1c, l2a = levels.count("L1C"), levels.count("L2A")
    return TileCode(tile, len(products), l1c, l2a, days[0], days[-1])


def write(env: Environment, found: TileCodes) -> Path:
    """Write what was seen to `_inventory/tilecodes.json`; returns its path."""
    path = env.inventory_dir / MANIFEST
    content = {
        "step": "10",
        "version": __version__,
        "tiles": [asdict(tile) for tile in found.tiles],
        "unreadable": [{"product": item, "reason": reason} for item, reason in found.unreadable],
    }
    files.write_json(path, content)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """The step without its notebook; returns 1 when products could not be read."""
    parser = cli.parser(DOC, prog="tilecodes")
    told = "processes (default 1)"
    parser.add_argument("--workers", type=cli.positive, default=1, metavar="N", help=told)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Count the tile codes of the archive, print the table and note it."""
    from sensor2sensor.config.environment import load_environment

    env = load_environment(args.environment)
    root, memory = env.require("s2_root"), env.inventory_dir
    found = count_tile_codes(root, workers=args.workers, memory=memory)
    report = cli.StepReport("step 10")
    report.note(TileCodes(found.tiles, ()).table())
    for tile in found.tiles:
        report.done(tile.tile)
    for item, reason in found.unreadable:
        report.failed(item, reason)
    report.note(f"noted in {write(env, found)}")
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
