"""What a user waits for --help, and for the answer to a mistake, against bare Python.

    python -m benchmarks.startup [--rounds 7]

Every call is a process of its own; calls take turns, so that a busy machine is busy for all. The
ratios are to ``python -c pass`` and to ``import numpy``, the least that a door which reads arrays
can do; ``import tensorflow``, which a door must not need for this, stands beside. That it does not
is what the tests hold; there is no bound here.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files  # noqa: E402

STEPS = ("20_create_inventory", "30_create_s2pngs", "40_create_tifs", "50_create_tfrecords")
BARE = {"python": ["-c", "pass"], "numpy": ["-c", "import numpy"]}


def main() -> int:
    """Measure and write benchmarks/results/startup.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(calls(Path(folder)), args.rounds)
    files.write_json(ROOT / "benchmarks" / "results" / "startup.json", result)
    report(result)
    return 0


def calls(folder: Path) -> dict[str, tuple[list[str], int]]:
    """Words after ``python`` and the exit code expected, by what is called."""
    experiment = folder / "experiments" / "a" / "experiment.json"
    experiment.parent.mkdir(parents=True)
    experiment.write_text(json.dumps({"model_name": "pix2pix", "dataset": "d", "stpes": 1}))
    environment = folder / "environment.json"
    environment.write_text(json.dumps({"experiment_root": "experiments"}))
    wrong = ["--exp", "a", "--environment", str(environment)]
    made = {name: (words, 0) for name, words in BARE.items()}
    for door in (*(f"preprocessing/{step}.py" for step in STEPS), "train.py", "evaluate.py"):
        made[f"{door} --help"] = ([door, "--help"], 0)
    for door in ("train.py", "evaluate.py"):
        made[f"{door}, a misspelt key"] = ([door, *wrong], 2)
    made["train.py --check, a misspelt key"] = (["train.py", *wrong, "--check"], 2)
    made["models list"] = (["-m", "models", "list"], 0)
    made["models check, a misspelt model"] = (["-m", "models", "check", "pixpix"], 2)
    return made


def measure(made: dict[str, tuple[list[str], int]], rounds: int) -> dict[str, Any]:
    """Median seconds of every call over the rounds; the first round only warms the cache."""
    seconds: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds + 1):
        for name, (words, code) in made.items():
            seconds[name].append(timed(words, code))
    median = {name: statistics.median(spent[1:]) for name, spent in seconds.items()}
    doors = {name: spent for name, spent in median.items() if name not in BARE}
    return {
        "rounds": rounds,
        "seconds": median,
        "tensorflow_s": timed(["-c", "import tensorflow"], 0),
        "over_python": {name: spent / median["python"] for name, spent in doors.items()},
        "over_numpy": {name: spent / median["numpy"] for name, spent in doors.items()},
    }


def timed(words: list[str], code: int) -> float:
    """Seconds of one call, which must end with this exit code."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    spent = time.perf_counter() - begin
    if done.returncode != code:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr[-500:]}")
    return spent


def report(result: dict[str, Any]) -> None:
    """Print the figures of every call, those of a door with both ratios."""
    for name, spent in {**result["seconds"], "import tensorflow": result["tensorflow_s"]}.items():
        print(f"{name:45s} {1e3 * spent:6.0f} ms", end="")
        if name in result["over_python"]:
            over_python, over_numpy = result["over_python"][name], result["over_numpy"][name]
            print(f"  {over_python:5.1f} x python  {over_numpy:5.1f} x numpy", end="")
        print()


if __name__ == "__main__":
    sys.exit(main())
