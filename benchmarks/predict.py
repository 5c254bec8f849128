"""Prediction of a whole product: what of its time the network takes, in how much memory.

    python -m benchmarks.predict [--cache FOLDER] [--size 10980] [--blocks 4] [--width 1]

The product of ``benchmarks.step40`` (10980 x 10980 pixels at 10 m, generated once; smaller with
--size), predicted from itself degraded six times by an untrained ``edsr`` of a quarter of the usual
blocks, on the grid of 10 m. Sides, each a fresh process: *tensorflow*, the generator itself;
*onnx*, the file that ``export.py`` makes of it. The network's time is that of its own calls:
reading, degrading, enlarging, normalising and writing are not in it (onnx normalises within).

Bounds, on both sides: the network at least 90 % of the time from the first window to the written
file; peak memory of the process below 2 GiB; on a part of the product windows of any size and one
pass differ by less than 1e-5 of the value range.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
CACHE = ROOT / "data" / "_benchmarks" / "step40"
SIDES = ("tensorflow", "onnx")
FULL_PX, FACTOR, PART_PX = 10980, 6, 402
BOUNDS = {"network_share": 0.9, "peak_gib": 2.0, "windows_differ": 1e-5}


def main() -> int:
    """Measure, print, write results/predict.json; returns 1 where a bound is missed."""
    asked = arguments().parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    if asked.side:
        print(json.dumps(run_side(asked)))
        return 0
    result = measure(asked)
    from sensor2sensor.core import files

    files.write_json(ROOT / "benchmarks" / "results" / "predict.json", result)
    return report(result)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--cache", type=Path, default=CACHE)
    made.add_argument("--size", type=int, default=FULL_PX, help="side of the product, pixels")
    made.add_argument("--blocks", type=int, default=4)
    made.add_argument("--width", type=float, default=1.0)
    made.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    made.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    return made


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Both sides in fresh processes."""
    product(asked)
    with tempfile.TemporaryDirectory() as work:
        export(asked, Path(work))
        found = {side: fresh(asked, side, Path(work)) for side in SIDES}
    return {
        "what": f"edsr, {asked.blocks} blocks, width {asked.width:g}, over {asked.size}^2 pixels",
        "device": f"CPU, {os.cpu_count()} cores",
        **found,
        "tensorflow_over_onnx": found["tensorflow"]["seconds"] / found["onnx"]["seconds"],
        "bounds": BOUNDS,
    }


def product(asked: argparse.Namespace) -> Path:
    """The product, generated unless it is there."""
    from benchmarks.step40 import BANDS
    from tests.fakes import World, make_s2
    from tests.fakes.s2 import DEFAULT_SENSING

    # That of step 40 where it is as large.
    folder = asked.cache / ("Sentinel-2" if asked.size == FULL_PX else f"Sentinel-2_{asked.size}")
    for path in sorted(folder.glob("*.SAFE")):
        if (path / "manifest.safe").exists():
            return path
    print("generating the Sentinel-2 scene (minutes for a full one)", flush=True)
    return make_s2(
        folder, world=World(0), size_px=asked.size, bands=BANDS, resolutions=(10,),
        quality_masks=False, cloud=0.05, sensing=DEFAULT_SENSING,
    )  # fmt: skip


def model(asked: argparse.Namespace) -> tuple[Any, Any]:
    """Experiment and generator; the seed gives each process the same weights."""
    from models.loading import load_gan_class
    from tests.models.standin import experiment

    params = {"blocks": asked.blocks, "width": asked.width}
    exp = experiment(
        params=params, normalisation="symmetric", input_upsampling="nearest",
        gen_loss={"gen_l1": 1.0}, discriminator=None,
    )  # fmt: skip
    return exp, load_gan_class("edsr")(exp).generator


def export(asked: argparse.Namespace, work: Path) -> None:
    """Write the file of the other side."""
    from sensor2sensor.predictors import physical

    exp, generator = model(asked)
    plan = physical.plan_of(exp, generator)
    physical.write(plan, exp.normaliser, work, "edsr", "onnx", {}, generator=generator)


def fresh(asked: argparse.Namespace, side: str, work: Path) -> dict[str, Any]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.predict", f"--side={side}", f"--work={work}"]
    command += [f"--{name}={getattr(asked, name)}" for name in ("cache", "size", "blocks", "width")]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Clock:
    """Sums the time of the calls of a function."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            made = function(*args, **options)
            self.seconds += time.perf_counter() - start
            return made

        return timed


def method_of(asked: argparse.Namespace, clock: Clock) -> Any:
    """The side's method, its network timed."""
    from sensor2sensor.inference.method import Method

    if asked.side == "onnx":
        from sensor2sensor.predictors import onnx_model
        from sensor2sensor.predictors.exported import open_exported

        onnx_model.OnnxModel.__call__ = clock(onnx_model.OnnxModel.__call__)  # type: ignore[method-assign]
        made = open_exported(asked.work / "edsr.json")
        return Method(made.name, [made.predictor], degrading(made.form), made.tiling)
    from sensor2sensor.dataset.form import form_of
    from sensor2sensor.predictors.model import ModelPredictor
    from sensor2sensor.predictors.tiling import network_for_scenes

    exp, generator = model(asked)
    network, tiling = network_for_scenes(exp, generator)
    predictor = ModelPredictor(clock(network), exp.normaliser, exp.INPUT_UPSAMPLING, 1)
    return Method("edsr", [predictor], degrading(form_of(exp.contract)), tiling)


def degrading(form: Any) -> Any:
    """A form whose input is the mean over squares of its target; the small contract says none."""
    from sensor2sensor.dataset.contract import Degradation

    how = Degradation(
        method="mean", factor=FACTOR, mtf_nyquist=None, sigma_px=None, incomplete_blocks=0,
        tiles_with_incomplete_blocks=0,
    )  # fmt: skip
    return form.model_copy(update={"degradation": how})


def run_side(asked: argparse.Namespace) -> dict[str, Any]:
    """Predict all of the product, then a part of it by windows of several sizes."""
    from sensor2sensor.inference.run import PredictOptions, predict
    from sensor2sensor.inference.scenes.opening import open_scene
    from sensor2sensor.products.s2_images import kept_open

    clock = Clock()
    method = method_of(asked, clock)
    with kept_open(128):
        scene = open_scene(product(asked), method.form)
        start = time.perf_counter()
        options = PredictOptions(dtype="int16", force=True)
        predict(method, scene, asked.work / f"{asked.side}.tif", options)
        seconds, network = time.perf_counter() - start, clock.seconds
        # Before the part: in one pass it needs more.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        differ = windows_differ(method, scene, asked.work)
    return {
        "seconds": seconds,
        "network_seconds": network,
        "network_share": network / seconds,
        "peak_gib": peak,
        "windows_differ": differ,
    }


def windows_differ(method: Any, scene: Any, work: Path) -> float:
    """The largest difference of windows from one pass over a part, in shares of its range."""
    import numpy as np
    import rasterio

    from sensor2sensor.geo.grids import PixelWindow
    from sensor2sensor.inference.run import PredictOptions, predict
    from sensor2sensor.inference.scenes.scene import Cropped

    images = []
    part = Cropped(scene, PixelWindow(0, 0, *(min(PART_PX, side) for side in scene.frame.shape)))
    for side in (10 * PART_PX, 96, 204):
        out = work / f"part_{side}.tif"
        predict(method, part, out, PredictOptions(window_px=side, force=True))
        with rasterio.open(out) as source:
            images.append(source.read())
    spread = np.nanmax(images[0]) - np.nanmin(images[0])
    return float(max(np.nanmax(np.abs(one - images[0])) for one in images[1:]) / spread)


def report(result: dict[str, Any]) -> int:
    """Print the figures of both sides; 1 where a bound is missed."""
    missed = 0
    for side in SIDES:
        one = result[side]
        share, apart = 100 * one["network_share"], one["windows_differ"]
        print(f"{side}: {one['seconds']:.1f} s, of which the network {share:.1f} %", end="; ")
        print(f"peak {one['peak_gib']:.2f} GiB; windows differ by {apart:.1e}")
        missed += one["network_share"] < BOUNDS["network_share"]
        missed += one["peak_gib"] >= BOUNDS["peak_gib"]
        missed += one["windows_differ"] >= BOUNDS["windows_differ"]
    print(f"tensorflow / onnx: {result['tensorflow_over_onnx']:.2f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
