"""Step 55: make a data set of Sentinel-2 at 10 m and SPOT 6/7 at 5 or 2.5 m, from WorldStrat.

Pairs become a source (`source`, `derived`) of samples; splits, files and statistics are the same
for every source (`sensor2sensor.sources.writer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cli
from sensor2sensor.core.paths import expanded
from sensor2sensor.sources import pictures
from sensor2sensor.sources.exclusions import read_exclusions
from sensor2sensor.sources.source import Source, folder_of
from sensor2sensor.sources.worldstrat.derived import DerivedSource
from sensor2sensor.sources.worldstrat.layout import is_derived
from sensor2sensor.sources.worldstrat.options import add_arguments, from_arguments
from sensor2sensor.sources.worldstrat.pairs import write_pairing
from sensor2sensor.sources.worldstrat.source import RawSource
from sensor2sensor.sources.writer.options import write_options
from sensor2sensor.sources.writer.run import write

DOC = r"""
Make a data set of WorldStrat: Sentinel-2 at 10 m to SPOT 6/7 at 5 m or 2.5 m.

    python preprocessing/55_create_tfrecords_worldstrat.py --data WorldStrat --factor 4 \
        --max-days 10 --min-correlation 0.1 --min-correlation-test 0.2 --workers 4

Reads <data>/hr_dataset/<AOI>/<AOI>_ps.tiff and <data>/lr_dataset/<AOI>/L2A/ with metadata.csv and
the published split, or the index.csv of wsx2 or wsx4; writes <dataset>/<tilesize>/{train,val,test}/
*.tfrecord, split.csv, pairing.csv and dataset.json. Of the raw data each AOI gives the look nearest
in time that is clear and correlates, SPOT co-registered to it and resampled once.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Door of step 55; returns the exit code."""
    parser = cli.parser(DOC, prog="55_create_tfrecords_worldstrat.py", steps=True)
    add_arguments(parser)
    return cli.main_guard(run, parser, argv)


def run(args: argparse.Namespace) -> int:
    """Find the pairs, plan splits, write samples, finish.

    Returns:
        0, or 1 where a pair had to be refused.
    """
    folder = pictures.folder_of_data(args)
    derived = is_derived(folder)
    options, writing = from_arguments(args, folder, derived=derived), write_options(args)
    lists = [expanded(path) for path in args.exclude]
    exclusions = read_exclusions(lists, of=["aoi"], partial=args.add)
    root = Path(load_environment(args.environment).data_root)
    source: Source = (DerivedSource if derived else RawSource)(folder, options, exclusions)
    code = write(source, root, writing)
    if not args.dry_run:
        for line in write_pairing(folder_of(root, source.drafts[0])):
            cli.say(line)
    return code
