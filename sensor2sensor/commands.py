"""The command ``s2s``: every step that needs no model file, by name.

A step is imported when it is called, so that ``s2s --help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from sensor2sensor.core import cli
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.versions import __version__

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Command:
    """One step.

    Attributes:
        module: Its module, with a function ``main`` that takes the words after its name.
        says: What it does, for the list of commands.
    """

    module: str
    says: str

    def load(self) -> Main:
        """The function that runs it."""
        return cast(Main, importlib.import_module(self.module).main)


COMMANDS = {
    "inventory": Command(
        "sensor2sensor.preprocess.inventory.run",
        "step 20: Sentinel-2 scenes of a tile with the Sentinel-3 passes near them in time",
    ),
    "quicklooks": Command(
        "sensor2sensor.preprocess.quicklooks.run",
        "step 30: a picture of every scene and a page to select the good ones on",
    ),
    "tiles": Command(
        "sensor2sensor.preprocess.tiles.run",
        "step 40: GeoTIFF tiles with collocated Sentinel-3 pixels",
    ),
    "records": Command(
        "sensor2sensor.preprocess.records.run",
        "step 50: data sets of records, split by ground (needs TensorFlow)",
    ),
    "records-maps": Command(
        "sensor2sensor.sources.maps.run",
        "step 51: a data set of maps and photos that stand side by side (needs TensorFlow)",
    ),
    "records-aerial": Command(
        "sensor2sensor.sources.aerial.run",
        "step 52: a data set of aerial photos and masks of buildings (needs TensorFlow)",
    ),
    "records-sen12mscr": Command(
        "sensor2sensor.sources.sen12mscr.run",
        "step 53: a data set of cloudy and clear Sentinel-2 images with radar (needs TensorFlow)",
    ),
    "records-sen2venus": Command(
        "sensor2sensor.sources.sen2venus.run",
        "step 54: a data set of Sentinel-2 and Venµs at 5 m (needs TensorFlow)",
    ),
    "convert-sen2venus": Command(
        "sensor2sensor.sources.sen2venus.convert",
        "stacks of SEN2VENµS version 1 (.pt) to the layout of version 2, without torch",
    ),
    "records-worldstrat": Command(
        "sensor2sensor.sources.worldstrat.run",
        "step 55: a data set of Sentinel-2 and SPOT 6/7, from WorldStrat (needs TensorFlow)",
    ),
    "records-pairs": Command(
        "sensor2sensor.sources.pairs.run",
        "pairs of one band of two sensors, to train a registration on (needs TensorFlow)",
    ),
    "predict": Command(
        "sensor2sensor.inference.door", "an exported model over whole products (needs onnxruntime)"
    ),
    "lpips-weights": Command(
        "sensor2sensor.lpips_weights",
        "the file of weights for LPIPS, of public ones, without torch",
    ),
    "report": Command(
        "sensor2sensor.report.terminal",
        "every evaluation compared: one page to show, and tables to read",
    ),
    "runs": Command(
        "sensor2sensor.report.runs.command",
        "every run: state, step, speed, best; a page of curves; diff, note, prune, timelapse",
    ),
    "verify": Command(
        "sensor2sensor.verify", "SHA-256 and counts of data sets against what they promise"
    ),
    "quality": Command(
        "sensor2sensor.preprocess.quality.command",
        "a page on tiles or a data set: counts, rejections, maps, bands, tiles unlike the others",
    ),
    "statistics": Command(
        "sensor2sensor.statistics",
        "mean, deviation, extremes and quantiles of every band of data sets (needs TensorFlow)",
    ),
    "doctor": Command(
        "sensor2sensor.doctor", "versions, drivers, devices, roots, and what is wrong with them"
    ),
}
# A checkout's own: schemas are of no use to who installed the library, and models are not in it.
OF_CHECKOUTS = {
    "published": Command(
        "sensor2sensor.report.arisgan", "write docs/arisgan.md: ARISGAN's rows, metrics as coded"
    ),
    "show": Command("show", "a sheet of samples exactly as the network of an experiment gets them"),
    "metrics": Command(
        "benchmarks.metrics_page", "docs/metrics.md: formulas, agreement with others, sensitivity"
    ),
    "calibrate": Command("calibrate", "intervals of a run, from blocks of val it never looked at"),
    "schemas": Command(
        "sensor2sensor.schemas", "write schemas/*.json anew from the models behind them"
    ),
}


def s2s() -> int:
    """The installed command."""
    return main(sys.argv[1:], "s2s", COMMANDS)


def main(words: Sequence[str], prog: str, commands: dict[str, Command]) -> int:
    """Run the command that ``words`` name; returns its exit code.

    Args:
        words: The command line after the program's name.
        prog: The program's name, for messages and help.
        commands: What there is to choose from.
    """
    parser = _parser(prog, commands)
    if not words:
        parser.error(f"name a command: {', '.join(commands)}")
    args = parser.parse_args(words)
    # Options before the command belong to it as those behind it do.
    before = words[: len(words) - len(args.words) - 1]
    with cli.called_as(f"{prog} {args.command}"):
        return commands[args.command].load()([*before, *args.words])


def _parser(prog: str, commands: dict[str, Command]) -> argparse.ArgumentParser:
    def known(name: str) -> str:
        if name in commands:
            return name
        problem = f"no command '{name}'; {suggestion(name, commands)}"
        raise argparse.ArgumentTypeError(problem)

    width = max(map(len, commands))
    lines = [f"  {name:{width}}  {command.says}" for name, command in commands.items()]
    doc = "\n".join([
        "Translate images between satellite sensors: the steps that need no model file.", "",
        *lines, "",
        f"{prog} COMMAND --help tells the options of one.",
    ])  # fmt: skip
    made = cli.parser(doc, prog=prog)
    made.add_argument("--version", action="version", version=f"sensor2sensor {__version__}")
    made.add_argument("command", type=known, metavar="COMMAND")
    made.add_argument("words", nargs=argparse.REMAINDER, metavar="...", help=argparse.SUPPRESS)
    return made
