"""Step 50: make data sets of records, split by ground, out of the tiles of an inventory.

Tiles become a source (`source`) of samples (`tiles`); splits, files and statistics are the same for
every source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli, files
from sensor2sensor.core.decoration import decoration
from sensor2sensor.dataset.contract import CONTRACT_FILE
from sensor2sensor.preprocess.quality.dataset import Shared, write_quality
from sensor2sensor.preprocess.records.inputs import TileSet, read_tiles
from sensor2sensor.preprocess.records.options import DatasetOptions, add_arguments, from_arguments
from sensor2sensor.preprocess.records.products import unlike, write_products
from sensor2sensor.preprocess.records.source import TileSource, kin_of
from sensor2sensor.sources.source import folder_of
from sensor2sensor.sources.writer.options import write_options
from sensor2sensor.sources.writer.run import write

logger = logging.getLogger(__name__)

DOC = r"""
Make data sets out of tiles: cur_D (Sentinel-3 input) and alt<f>_D (degraded Sentinel-2 input).

    python preprocessing/50_create_tfrecords.py --inventory inv_T17XNA_10h --dataset arctic \
        --tilesize 256 --train_ratio 0.95 --val_ratio 0.05 --factors 3,6,12,20,30 --workers 4

Writes <dataset>/<tilesize>/{train,val,test}/*.tfrecord, split.csv and dataset.json. Tiles go to
their splits by the ground they show; with --add another inventory joins and no ground moves. A data
set of --limit N holds the first N tiles; with --add and no limit it takes in the others.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 50; returns the exit code."""
    parser = cli.parser(DOC, prog="50_create_tfrecords.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Read tiles, plan splits, write samples, finish.

    Returns:
        0, or 1 where a tile had to be refused.
    """
    env = load_environment(args.environment)
    options, writing = from_arguments(args), write_options(args)
    tiles = read_tiles(env, options.inventory, options.tile_px)
    data_root = Path(env.data_root)
    notes = unlike(_there(data_root, options), tiles) if writing.add else ()
    source = TileSource(tiles, options, notes)
    code = write(source, data_root, writing)
    if not (writing.dry_run or writing.part):  # a part finishes no data set
        _write_beside(source, data_root, tiles, writing.workers)
    return code


def _there(data_root: Path, options: DatasetOptions) -> list[Path]:
    """Finished data sets of the name that are there."""
    kin = kin_of(data_root, options.dataset, options.tile_px)
    return [folder for folder in kin if (folder / CONTRACT_FILE).is_file()]


def _write_beside(source: TileSource, data_root: Path, tiles: TileSet, workers: int) -> None:
    """Write which products each data set is of, and its quality page."""
    shared: Shared = {}
    for draft in source.drafts:
        folder = folder_of(data_root, draft)
        with files.lock(folder / ".lock"):
            files.sweep(folder)  # a run that had nothing else to do has not swept
            write_products(folder, tiles)
            with decoration(f"the quality page of {draft.name}", logger.warning):
                write_quality(folder, workers, shared)
