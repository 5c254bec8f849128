"""Reader, mask and doing nothing on the real triplet fall_139 p839, held against published figures.

    python examples/triplet.py --data SEN12MSCR

Exit code 1 where a figure differs by more than 0.001 (0.005 for PSNR and SAM, known to two digits).
Triplets below FOLDER that are not whole are told of, with what they lack.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sensor2sensor.core import cli
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import load_tensorflow
from sensor2sensor.dataset.records import TileRecord
from sensor2sensor.sources import pictures
from sensor2sensor.sources.sen12mscr.form import MASK
from sensor2sensor.sources.sen12mscr.layout import find
from sensor2sensor.sources.sen12mscr.options import add_arguments, from_arguments
from sensor2sensor.sources.sen12mscr.source import Sen12Source

PATCH = "ROIs1970_fall_139_p839"
TOLERANCE = 1e-3
SCALED = 10_000 / 2000  # units of the published loss in a reflectance of 1
# Cloudy against clear image of the patch as others computed them, by --bands.
KNOWN: Mapping[str, Mapping[str, float]] = {
    "all": {
        "MAE": 0.1087, "RMSE": 0.1593, "PSNR": 15.96, "SAM": 15.27, "SSIM": 0.5906,
        "CARL": 1.0664, "mask": 0.931,
    },
    "10m20m": {
        "MAE": 0.1258, "RMSE": 0.1756, "PSNR": 15.11, "SAM": 12.14, "SSIM": 0.5303,
        "CARL": 1.2340, "mask": 0.931,
    },
}  # fmt: skip
# Of published figures of fewer digits the last is what can be compared.
ROUNDED = {"PSNR": 5e-3, "SAM": 5e-3}


def scores(record: TileRecord) -> dict[str, float]:
    """What the cloudy image is worth as a prediction, and the share of the mask."""
    load_tensorflow()
    from sensor2sensor.metrics import compute

    truth = record.target
    cloudy = record.input_dense[..., : truth.shape[-1]]
    masked = (record.extras[MASK] != 0)[..., None]
    ranges = np.array([(0.0, 1.0)] * truth.shape[-1])
    names = ["l1", "rmse", "psnr", "sam", "ssim"]
    found = compute(
        truth[None], cloudy[None], value_ranges=ranges, factor=1.0, names=names, profile="standard"
    )
    labels = {"l1": "MAE"}
    off = SCALED * np.abs(cloudy.astype(np.float64) - truth)
    # The published loss at prediction = input: what is clear costs its second term alone.
    loss = {"CARL": float((off * masked).mean() + off.mean()), "mask": float(masked.mean())}
    return {labels.get(n, n.upper()): float(values[0]) for n, values in found.items()} | loss


def check(folder: Path) -> tuple[list[str], bool]:
    """Lines to print, and whether every figure is the known one."""
    lines, good = [], True
    for bands, known in KNOWN.items():
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        parser.set_defaults(seed=0)
        words = ["--data", str(folder), "--bands", bands]
        source = Sen12Source(folder, find(folder), from_arguments(parser.parse_args(words), folder))
        planned = source.plan()
        if not lines:
            lines += planned.notes
        item = next((i for i in planned.items if i.name.endswith(PATCH) and not i.left_out), None)
        if item is None:
            what = f"has no whole triplet {PATCH}"
            raise InputError(what, where=folder, hint="--data names the folder of the samples")
        (record,) = source.read(item)
        found = scores(record)
        lines.append(f"{PATCH}, --bands {bands}: {record.target.shape[-1]} bands, doing nothing")
        for name, value in known.items():
            near = abs(found[name] - value) <= ROUNDED.get(name, TOLERANCE)
            good &= near
            lines.append(
                f"  {name:5s} {found[name]:9.4f}  known {value:g}{'' if near else '  DIFFERS'}"
            )
    return lines, good


def main() -> int:
    """The door; returns the exit code."""
    parser = cli.parser(__doc__ or "", prog="triplet.py")
    parser.add_argument("--data", required=True, metavar="FOLDER", help="folder of SEN12MS-CR")
    return cli.main_guard(run, parser)


def run(args: argparse.Namespace) -> int:
    """Print the comparison; 1 where a figure differs."""
    lines, good = check(pictures.folder_of_data(args))
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
