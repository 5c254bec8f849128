"""A training that is shot at until it is done, held against one that nobody disturbed.

    python -m benchmarks.soak_training [--kills 50] [--steps 300] [--seed 0] [--folder FOLDER]

One small GAN with all that a resumed run has to remember: dropout, batch normalisation with its
refreshed statistics, WGAN-GP with two critic steps, warm-up, a falling learning rate, averaged
weights, epochs, the best validations and patience. It is run by ``train.py`` as a user runs it and
ended by KILL, TERM or INT, some of them twice, at random moments: while TensorFlow starts, in a
step, a save or a look, wherever the signal meets it. ``--resume`` takes it up again until it is
done. Then

* every tensor of its last checkpoint and of the best is that of the undisturbed run, bit for bit;
* ``metrics.jsonl`` has each step once, with the same numbers; TensorBoard's files, each point once;
* ``run.json`` names the same best; nothing lies about that the undisturbed run does not have;
* no life ended but by its signal, with the exit code of it, and none printed a traceback.

Returns 1 where any of that is not so. ``--seed`` is that of the moments; ``--folder`` keeps all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sensor2sensor.core import files  # noqa: E402
from sensor2sensor.training.rows import GAUGES  # noqa: E402
from tests.fakes_dataset import make_dataset  # noqa: E402

STAMP = "0715-0930"
HANG_S = 600.0  # ends a life that hangs; says nothing about speed
AT_START, TWICE = 0.1, 0.15  # shares of the lives that are met before their first step; doubly
SETTINGS: dict[str, Any] = {
    "model_name": "resnet_pix2pix", "dataset": "alt6_toy", "tilesize": 64, "batch_size": 2,
    "params": {"width": 0.07, "blocks": 1, "dropout": True, "norm": "batch"}, "seed": 3,
    "gen_loss": {"gen_wstein": 1, "gen_lsgan": None, "gen_l1": 100},
    "disc_loss": {"disc_wstein": 1, "disc_lsgan": None, "disc_gp": 10},
    "discriminator": {"norm": "instance", "steps": 2, "receptive_field": 16},
    "generator_warmup": 20, "ema": 0.9, "gradient_clip": 1.0, "beta_1": 0.0,
    "learning_rate_schedule": {"kind": "cosine", "start": 0.25},
    "val_freq": 9, "keep_last": 2, "keep_best": 2, "sample_val": 2,
    # Longer than the run: it is asked for at every look all the same.
    "monitor": {"metric": "gen_l1", "patience": 10_000},
}  # fmt: skip
TILES = 10  # five steps an epoch
STEP = re.compile(r"^step (\d+)/", re.MULTILINE)


@dataclass
class Life:
    """One process of a run that is shot at.

    Attributes:
        signal: By name; None: it was left to end.
        met: ``start`` or ``steps``: what it was doing.
        step: Steps that it had told of when the signal came.
        code: How it ended, as Python tells it: negative for a signal that nobody handled.
    """

    signal: str | None
    met: str
    step: int
    code: int


def main() -> int:
    """Run both, compare, print, write results/soak_training.json."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--folder", type=Path)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = soak(asked.folder or Path(scratch), asked.kills, asked.steps, asked.seed)
    files.write_json(ROOT / "benchmarks" / "results" / "soak_training.json", result)
    print(f"{result['kills']} kills {result['signals']}, seed {asked.seed}: {result['verdict']}")
    for line in result["faults"]:
        print(f"  {line}")
    return 1 if result["faults"] else 0


def soak(folder: Path, kills: int, steps: int, seed: int) -> dict[str, Any]:
    """Both runs below ``folder``, and what is to be said of them."""
    begun = time.monotonic()
    places = {name: place_in(folder / name, folder, steps) for name in ("undisturbed", "shot_at")}
    code = start(places["undisturbed"], resume=False, told=folder / "undisturbed.txt").wait(
        HANG_S * 10
    )
    lives = list(shoot(places["shot_at"], kills, steps, random.Random(seed)))
    shot = [life for life in lives if life.signal is not None]
    faults = [] if code == 0 else [f"the undisturbed run ended with exit code {code}"]
    faults += list(_of_lives(lives, folder / "shot_at"))
    faults += list(differences(*places.values())) if code == 0 else []
    return {
        "what": f"{steps} steps of resnet_pix2pix with EMA, critic steps, best-keeping and dropout",
        "kills": len(shot),
        "lives": len(lives),
        "seed": seed,
        "signals": dict(Counter(str(life.signal) for life in shot)),
        "met": dict(Counter(life.met for life in shot)),
        "exit_codes": dict(Counter(str(life.code) for life in lives)),
        "set_aside": sorted(p.name for p in (ckpt(places["shot_at"]) / "damaged").glob("*")),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "verdict": "differs from the undisturbed run" if faults else "equals the undisturbed run",
        "faults": faults,
    }


def place_in(place: Path, shared: Path, steps: int) -> Path:
    """A workplace with the experiment ``a``; both share one data set."""
    data = shared / "data"
    if not data.exists():
        make_dataset(data, train=TILES, val=3, test=1)
    (place / "experiments" / "a").mkdir(parents=True)
    epochs = {"epochs": max(1, round(steps * SETTINGS["batch_size"] / TILES))}
    text = json.dumps({**SETTINGS, **epochs})
    (place / "experiments" / "a" / "experiment.json").write_text(text)
    (place / "environment.json").write_text(json.dumps({"data_root": str(data), "log_freq": 1}))
    return place


def start(place: Path, *, resume: bool, told: Path) -> subprocess.Popen[bytes]:
    """``train.py`` as a process of its own, which says what it says to the file ``told``."""
    words = ["--environment", str(place / "environment.json"), "--exp", "a", "--timestamp", STAMP]
    begun = (place / "experiments" / "a" / "logs" / STAMP / "run.json").is_file()
    words += ["--resume"] if resume and begun else []
    with told.open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *words],
            stdout=stream, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
            # A shell has what it runs in the background ignore SIGINT, and this would inherit it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip


def shoot(place: Path, kills: int, steps: int, draw: random.Random) -> Iterator[Life]:
    """Lives of one run until it is done; the last is left in peace."""
    start_s, done, number = 10.0, 0, 0
    while True:
        number += 1
        told = place / f"life-{number:03}.txt"
        begun = time.monotonic()
        child = start(place, resume=True, told=told)
        left = kills - number + 1
        if left < 1:
            yield Life(None, "end", done, child.wait(HANG_S * 10))
            return
        early = draw.random() < AT_START
        # So that the shots are spread over the steps that are left.
        wanted = done + 1 + draw.randrange(max(1, round(2 * (steps - done) / (left + 1))))
        wait_s = draw.uniform(0, start_s) if early else draw.uniform(0, 0.15)
        if not early:
            await_step(child, told, wanted)
            start_s = min(time.monotonic() - begun, 60.0)
        time.sleep(wait_s)
        name = draw.choice(["SIGKILL", "SIGTERM", "SIGINT"])
        shots = 2 if name != "SIGKILL" and draw.random() < TWICE else 1
        for shot in range(shots):
            time.sleep(draw.uniform(0, 0.3) if shot else 0)
            child.send_signal(getattr(signal, name))
        code = child.wait(HANG_S)
        reached = last_step(told)
        # Not what it has told: a kill throws back to the last checkpoint.
        done = max((int(p.stem[5:]) for p in ckpt(place).glob("ckpt-*.index")), default=0)
        yield Life(name, "start" if reached is None else "steps", reached or done, code)
        if code == 0:
            return


def await_step(child: subprocess.Popen[bytes], told: Path, wanted: int) -> None:
    """Until a life has told of so many steps, or has ended."""
    hung = time.monotonic() + HANG_S
    while child.poll() is None and (last_step(told) or 0) < wanted:
        if time.monotonic() > hung:
            raise SystemExit(f"{told}: no step {wanted} after {HANG_S} s")
        time.sleep(0.004)


def last_step(told: Path) -> int | None:
    """The step that a life has told of last."""
    found = STEP.findall(told.read_text(errors="replace"))
    return int(found[-1]) if found else None


def ckpt(place: Path) -> Path:
    """The folder of the checkpoints of a workplace's run."""
    return place / "experiments" / "a" / "ckpt" / STAMP


def logs(place: Path) -> Path:
    """The folder of the logs of a workplace's run."""
    return place / "experiments" / "a" / "logs" / STAMP


def _of_lives(lives: list[Life], place: Path) -> Iterator[str]:
    """What is wrong with how they ended."""
    for number, life in enumerate(lives, start=1):
        allowed = {0}
        if life.signal is not None:
            of_signal = getattr(signal, life.signal).value
            allowed |= {-of_signal} | ({128 + of_signal} if life.signal != "SIGKILL" else set())
        if life.code not in allowed:
            yield f"life {number}, {life.signal}: ended with exit code {life.code}"
        if "Traceback" in (place / f"life-{number:03}.txt").read_text(errors="replace"):
            yield f"life {number}, {life.signal}: a traceback"
    if lives[-1].code != 0:
        yield f"the run was not brought to its end: exit code {lives[-1].code}"


def differences(whole: Path, shot: Path) -> Iterator[str]:
    """What the run that was shot at has otherwise than the undisturbed one, a phrase each."""
    one, other = (json.loads((logs(place) / "run.json").read_text()) for place in (whole, shot))
    for key in ("status", "step", "steps", "best"):
        if one[key] != other[key]:
            yield f"run.json: {key} is {other[key]}, not {one[key]}"
    for step in sorted({one["step"], one["best"]["step"]}):
        yield from (f"ckpt-{step}: {phrase}" for phrase in _tensors(whole, shot, step))
    rows = [_rows(place) for place in (whole, shot)]
    if rows[0] != rows[1]:
        yield f"metrics.jsonl: {_first_other(*rows)}"
    trained = [row["step"] for row in rows[1] if row["kind"] == "train"]
    if trained != list(range(1, one["step"] + 1)):
        yield "metrics.jsonl: not each step once"
    points = [_points(place) for place in (whole, shot)]
    if points[0] != points[1]:
        yield f"TensorBoard: {_first_other(*points)}"
    stray = _names(shot) - _names(whole)
    if stray:
        yield f"stray files: {', '.join(sorted(stray))}"


def _tensors(whole: Path, shot: Path, step: int) -> Iterator[str]:
    import numpy as np
    import tensorflow as tf

    one, other = (tf.train.load_checkpoint(str(ckpt(p) / f"ckpt-{step}")) for p in (whole, shot))
    names = set(one.get_variable_to_shape_map())
    if names != set(other.get_variable_to_shape_map()):
        yield "other variables"
        return
    for name in sorted(names):
        if not np.array_equal(one.get_tensor(name), other.get_tensor(name)):
            yield f"{name} differs"


def _rows(place: Path) -> list[dict[str, Any]]:
    lines = (logs(place) / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in GAUGES} for line in lines]


def _points(place: Path) -> list[tuple[int, str]]:
    """Step and name of every point that TensorBoard shows, in its files' order; gauges left out."""
    import tensorflow as tf

    found = []
    for path in sorted(logs(place).glob("events.*")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(raw)
            found += [(event.step, value.tag) for value in event.summary.value]
    return sorted(point for point in found if point[1].rpartition("/")[2] not in GAUGES)


def _first_other(one: list[Any], other: list[Any]) -> str:
    pairs = zip(one, other, strict=False)
    found = next((pair for pair in pairs if pair[0] != pair[1]), None)
    return (
        f"{len(other)} entries, not {len(one)}" if found is None else f"{found[1]}, not {found[0]}"
    )


def _names(place: Path) -> set[str]:
    """Files of a run by their kind; a signal adds checkpoints, and a life files of events."""
    run = place / "experiments" / "a"
    found = set()
    for path in run.rglob("*"):
        name = str(path.relative_to(run))
        if path.is_file() and "damaged" not in path.parts:
            found.add(re.sub(r"ckpt-\d+|tfevents\..*", "*", name))
    return found


if __name__ == "__main__":
    sys.exit(main())
