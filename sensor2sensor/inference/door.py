"""``s2s predict``: an exported model over whole products, without TensorFlow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.inference.command import add_arguments, predict_all
from sensor2sensor.inference.method import Method
from sensor2sensor.inference.output import NODATA, PUBLIC_NODATA
from sensor2sensor.inference.zoo import find_model
from sensor2sensor.predictors.exported import open_exported

DOC = r"""
Apply an exported model to whole products and write Cloud-Optimised GeoTIFFs; needs no TensorFlow.

    s2s predict --model edsr.onnx --product S2B_MSIL2A_20220413.SAFE --preview
    s2s predict --model carn.yaml --product SENTINEL2B_20190531.zip --out tile_5m.tif
    s2s predict --model arctic-edsr --zoo models --product S3A_OL_1_EFR.SEN3 --tile T17XNA

A model is a file of export.py (.onnx with its .json), a card of the public tool
sentinel2_superresolution (.yaml), or a name in a zoo's models.json. A run that was killed goes on
where it was. Cards write int16, reflectance x 10000, -10000 where there is none.
"""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = cli.parser(DOC, prog="s2s predict")
    add = made.add_argument
    add("--model", required=True, metavar="FILE|NAME", help="exported model, card, or its name")
    add("--zoo", type=Path, metavar="DIR", help="folder of models.json (this one)")
    add_arguments(made)
    add("--threads", type=cli.positive, metavar="N", help="of onnxruntime (its own choice)")
    return made


def run(args: argparse.Namespace) -> int:
    """Open the model, then predict."""
    path = find_model(args.model, args.zoo or Path())
    if args.zoo is not None and path == Path(args.model):
        what = f"says nothing: {args.model} is a file, and no name in a zoo"
        raise InputError(what, where="--zoo", hint="leave it out")
    found = open_exported(path, args.threads, args.batch)
    method = Method(
        found.name, (found.predictor,), found.form, found.tiling, found.batch_size,
        found.provenance, found.intervals if args.intervals else None,
    )  # fmt: skip
    if args.intervals and found.intervals is None:
        hint = "calibrate its run, then export it again"
        raise InputError("its file holds no intervals", where=path, hint=hint)
    nodata = PUBLIC_NODATA if found.from_card else NODATA
    if found.from_card:
        args.dtype = args.dtype or "int16"
    own = [path.with_suffix(ending) for ending in (".onnx", ".json", ".yaml", path.suffix)]
    return predict_all(
        found.form, found.name, args, lambda: method, nodata=nodata,
        model=[one for one in own if one.exists()], window=found.tiling.window_px,
    )  # fmt: skip


def main(words: Sequence[str] | None = None) -> int:
    """The door; returns the exit code."""
    return cli.main_guard(run, arguments(), words)
