"""Steps 20, 40 and 50 shot at until they are done, held against a calm run of each.

    python -m benchmarks.soak_preprocess [--pairs 200] [--kills 60] [--seed 0] [--folder FOLDER]

Tiny pairs of Sentinel-2 and Sentinel-3 products, each over ground of its own, become an inventory,
tiles and data sets by the steps as a user runs them with two workers. Every few seconds ``kill -9``
ends the main process or a worker, wherever it is: in its start, between two writes, in one. A step
that was killed, or in which an item failed since its workers were, is started again with the same
words, until it ends with exit code 0. Then

* inventory, tiles, tables, manifests, pages and data sets are those of one calm run with one
  worker, byte for byte, and nothing lies about that the calm run does not have (``_known``, which
  spares a second look at the archive, depends on when it was looked at and is left out);
* no life ended but by its shots, and none printed a traceback.

Returns 1 where any of that is not so. ``--seed`` is that of the shots; ``--folder`` keeps all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.config.environment import load_environment  # noqa: E402
from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.preprocess.inventory.table import read_inventory  # noqa: E402
from tests.fakes import World, make_s2, make_s3  # noqa: E402
from tests.fakes.s2 import DEFAULT_CORNER_M  # noqa: E402
from tests.fakes.world import transformer  # noqa: E402

FIRST = datetime(2022, 5, 1, 17, 19, 11, tzinfo=UTC)
INVENTORY, SELECTION, DATASET, TILE = "inv_T17XNA_3h", "all", "soak", 32
_TILES = ["--tilesize", str(TILE)]
_RATIOS = ["--train_ratio", "0.6", "--val_ratio", "0.4", "--block-tiles", "24"]
_DRAWN = ["--margin", "12", "--quantity", "2", "--overlap", "0.4", "--max-cloud", "1"]
STEPS = {
    "20": ["20_create_inventory.py", "--tile", "T17XNA", "--timediff", "3"],
    "40": ["40_create_tifs.py", "--selection", SELECTION, *_TILES, *_DRAWN],
    "50": [
        "50_create_tfrecords.py", "--inventory", INVENTORY, "--dataset", DATASET, *_TILES,
        "--factors", "3", *_RATIOS,
    ],
}  # fmt: skip
SHARE = {"20": 0.15, "40": 0.6, "50": 1.0}  # of the shots that are left
AT_START = 0.15  # share of the lives that are shot at from their first moment
APART_S = (0.2, 4.0)  # between two shots
HANG_S = 1800.0  # ends a life that hangs; says nothing about speed


@dataclass
class Life:
    """One process of a step that is shot at.

    Attributes:
        step: Its number.
        shots: ``main`` or ``worker``, in order.
        code: How it ended: negative for a signal.
    """

    step: str
    shots: list[str] = field(default_factory=list)
    code: int = 0


def main() -> int:
    """Run both, compare, print, write results/soak_preprocess.json."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    options.add_argument("--pairs", type=int, default=200)
    options.add_argument("--kills", type=int, default=60)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--folder", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = soak(asked.folder or Path(scratch), asked.pairs, asked.kills, asked.seed)
    files.write_json(ROOT / "benchmarks" / "results" / "soak_preprocess.json", result)
    print(
        f"{result['pairs']} pairs, {result['kills']} kills {result['shots']}: {result['verdict']}"
    )
    for line in result["faults"]:
        print(f"  {line}")
    return 1 if result["faults"] else 0


def soak(folder: Path, pairs: int, kills: int, seed: int) -> dict[str, Any]:
    """Both runs below ``folder``, and what is to be said of them."""
    begun = time.monotonic()
    make_pairs(folder, pairs)
    calm, shot_at = (place_in(folder / name) for name in ("calm", "shot_at"))
    codes = [life(calm, step, 1, 0, random.Random(seed)).code for step in STEPS]
    lives = list(shoot(shot_at, kills, 8 * pairs // max(1, kills), random.Random(seed)))
    shots = Counter(shot for one in lives for shot in one.shots)
    faults = [f"the calm run ended with exit codes {codes}"] if any(codes) else []
    faults += _of_lives(lives, shot_at)
    faults += differences(*(tree(place / "data") for place in (calm, shot_at)))
    return {
        "what": "steps 20, 40 and 50 of generated pairs, kill -9 of the main process or a worker",
        "pairs": pairs,
        "kills": shots.total(),
        "shots": dict(shots),
        "lives": dict(Counter(one.step for one in lives)),
        "exit_codes": dict(Counter(str(one.code) for one in lives)),
        "files": len(tree(calm / "data")),
        "seed": seed,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "verdict": "differs from the calm run" if faults else "equals the calm run",
        "faults": faults,
    }


def make_pairs(folder: Path, pairs: int) -> None:
    """An archive of pairs over ground of their own; nothing where ``folder`` has it."""
    if (folder / "s2").is_dir():
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_pair, folder), range(pairs)))


def _pair(folder: Path, number: int) -> None:
    sensing = FIRST + timedelta(days=number)
    west = DEFAULT_CORNER_M[0] + number % 10 * 9600.0
    north = DEFAULT_CORNER_M[1] - number // 10 * 4800.0
    centre = transformer(32617, 4326).transform(west + 960.0, north - 960.0)
    make_s2(
        folder / "s2", world=World(0), sensing=sensing, size_px=192, bands=("B02", "B03", "B04"),
        resolutions=(10,), quality_masks=False, cloud=0.0, ulx=west, uly=north,
        zip=number % 4 == 0,
    )  # fmt: skip
    make_s3(
        folder / "s3" / f"{sensing:%Y/%m}", world=World(0), start=sensing + timedelta(minutes=20),
        rows=33, columns=33, centre_lonlat=centre, cloud=0.0, zip=number % 5 == 0,
    )  # fmt: skip


def place_in(place: Path) -> Path:
    """A workplace over the archive beside it."""
    place.mkdir(parents=True)
    roots = {"data_root": "data", "s2_root": "../s2", "s3_root": "../s3"}
    (place / "environment.json").write_text(json.dumps(roots))
    return place


def shoot(place: Path, kills: int, files_apart: int, draw: random.Random) -> Iterator[Life]:
    """Lives of the steps, one after the other, each until it is done."""
    left = kills
    for step in STEPS:
        here = round(left * SHARE[step])
        while True:
            one = life(place, step, 2, here, draw, files_apart)
            left, here = left - len(one.shots), here - len(one.shots)
            yield one
            if one.code == 0:
                break
            if not one.shots:
                return


def life(
    place: Path, step: str, workers: int, shots: int, draw: random.Random, files_apart: int = 0
) -> Life:
    """One process of a step, which gets at most so many shots before it is left to end.

    Most lives get their first one after they have made some files, up to ``files_apart``: so shots
    are spread over the work.
    """
    if step == "40":
        select_all(place)
    one, told = Life(step), place / f"life-{len(list(place.glob('life-*'))):03}.txt"
    door, *words = STEPS[step]
    line = [sys.executable, str(ROOT / "preprocessing" / door), *words]
    line += ["--environment", str(place / "environment.json"), "--workers", str(workers)]
    with told.open("wb") as stream:
        child = subprocess.Popen(line, stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT)
    if shots and draw.random() > AT_START:
        _await_work(child, place / "data", draw.randint(1, 1 + files_apart))
    while len(one.shots) < shots and "main" not in one.shots:
        try:
            child.wait(draw.uniform(*APART_S))
            break
        except subprocess.TimeoutExpired:
            workers_now = sorted(_workers(child.pid))
            at_worker = bool(workers_now) and draw.random() < 0.5
            one.shots.append("worker" if at_worker else "main")
            _kill(draw.choice(workers_now) if at_worker else child.pid)
    one.code = child.wait(HANG_S)
    return one


def _await_work(child: subprocess.Popen[bytes], data: Path, wanted: int) -> None:
    """Until a life has made so many files, or has ended.

    Step 20 makes its files in the end: there its workers tell.
    """
    before, inventory = set(data.rglob("*")), data / "_inventory" / f"{INVENTORY}.csv"
    while child.poll() is None:
        working = not inventory.is_file() and any(_workers(child.pid))
        if working or len(set(data.rglob("*")) - before) >= wanted:
            return
        time.sleep(0.05)


def select_all(place: Path) -> None:
    """A selection of every scene of the inventory."""
    file = place / "data" / "_inventory" / f"{SELECTION}.json"
    if not file.is_file():
        scenes = read_inventory(load_environment(place / "environment.json"), INVENTORY).scenes()
        files.write_json(file, {"inventory": INVENTORY, "s2_indices": list(scenes)})


def _workers(pid: int) -> Iterator[int]:
    """The processes that work for another, by what the system tells of them."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                yield int(child)
    except OSError:  # gone meanwhile
        return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _of_lives(lives: Sequence[Life], place: Path) -> list[str]:
    """What is wrong with how they ended."""
    faults = []
    for number, one in enumerate(lives):
        allowed = {0}
        allowed |= {-signal.SIGKILL} if "main" in one.shots else set()
        # An item that was in the hands of two workers that were shot has failed.
        allowed |= {1, 2} if one.shots.count("worker") > 1 else set()
        if one.code not in allowed:
            faults.append(f"life {number}, step {one.step}, {one.shots}: exit code {one.code}")
        if "Traceback" in (place / f"life-{number:03}.txt").read_text(errors="replace"):
            faults.append(f"life {number}, step {one.step}, {one.shots}: a traceback")
    return faults


def tree(folder: Path) -> dict[str, str]:
    """Digest of every file below a folder, hidden ones too."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if "_known" not in name.parts:
            found[name.as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(calm: dict[str, str], shot_at: dict[str, str]) -> list[str]:
    """What the steps that were shot at left otherwise than those that were not."""
    faults = [f"missing: {name}" for name in calm.keys() - shot_at.keys()]
    faults += [f"stray: {name}" for name in shot_at.keys() - calm.keys()]
    both = calm.keys() & shot_at.keys()
    return sorted(faults) + [f"other bytes: {n}" for n in sorted(both) if calm[n] != shot_at[n]]


if __name__ == "__main__":
    sys.exit(main())
