"""Training steps on a GPU: plain against ours, and whether the numbers stay the same.

    python -m benchmarks.gpu [--minutes 5] [--parts aris ...] [--device cpu --tiny] [--out FOLDER]

Needs TensorFlow with CUDA, this repository and requirements-gpu-bench.txt, nothing else, and no
more than five minutes. Each part runs in a process of its own under a time limit, and what it
finds is written to results/gpu_<device>.json at once, so that a run that is cut off loses little;
``--parts`` adds to that file.

``device``: name, driver, what TensorFlow was built with, whether float32 means TF32, and what a
matrix product reaches. ``speed``: the step as ARISGAN describes it (:mod:`benchmarks.plain`)
against this repository's in float32 and bfloat16, for pix2pix at 256 px, and a large edsr; images
per second, peak memory, share of the device's peak. ``xla``: the same in bfloat16 compiled by XLA.
``outputs``: one step on CPU and device side by side. ``curve``: whether the losses of bfloat16 stay
within the noise of seeds. ``wait``: how much a step that reads a data set waits for it. ``aris``:
aris-a in all forms. What there was no time for is named; ``--parts`` brings it later.

The share of the peak is of the data sheet's (benchmarks/flops.py names it), for a device that is
not in the table of what a matrix product reached. The goals are for an H100 (an H200 computes as
fast); on other devices they are printed for orientation alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.flops import peak_tflops  # noqa: E402
from sensor2sensor.core import files  # noqa: E402

# In this order, what the goals need first, with the most seconds of each; the last takes the rest.
LIMITS_S = {
    "device": 40, "speed": 100, "xla": 90, "outputs-cpu": 30, "outputs": 40, "curve": 45,
    "wait": 30, "aris": 600,
}  # fmt: skip
NO_GPU = 2
LEAST_S = 5  # a part is not begun with less
GOALS_FOR = ("H100", "H200")
GOALS = (
    ("pix2pix 256 px batch 1", "bfloat16", "img_per_s", 150.0),
    ("pix2pix 256 px batch 1", "bfloat16+xla", "img_per_s", 300.0),
    ("pix2pix 256 px batch 16", "bfloat16", "img_per_s", 1200.0),
    ("edsr 128 px batch 4", "bfloat16", "share_of_peak", 0.3),
)


def main() -> int:
    """Run the parts; 1 where one fails, a number strays or a goal that holds here is missed."""
    asked = arguments().parse_args()
    with tempfile.TemporaryDirectory() as work:
        run = Run(asked, Path(work))
        for parts in plan(asked):
            if run.parts(parts) == NO_GPU:
                print("TensorFlow finds no GPU: python -m sensor2sensor doctor says why;"
                      " --device cpu --tiny tries the benchmark itself")  # fmt: skip
                return NO_GPU
    if run.path is None:
        print(f"nothing was found: {'; '.join(faults(run.result))}")
        return 1
    run.finish()
    for line in report(run.result):
        print(line)
    print(f"written to {run.path}")
    return 1 if faults(run.result) else 0


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    plain = argparse.RawDescriptionHelpFormatter
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=plain
    )
    made.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    made.add_argument("--tiny", action="store_true", help="small networks, to try the benchmark")
    made.add_argument("--minutes", type=float, default=5.0, help="most minutes in all")
    made.add_argument("--parts", nargs="+", choices=LIMITS_S, help="only these, added to the file")
    made.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    return made


def plan(asked: argparse.Namespace) -> list[tuple[str, ...]]:
    """The parts that share a process, in order; the file is named by what ``device`` finds."""
    chosen = {"device", *(asked.parts or LIMITS_S)}
    if "outputs" in chosen:
        chosen.add("outputs-cpu")
    names = [name for name in LIMITS_S if name in chosen]
    if asked.tiny:  # to start takes longer than all of them
        return [tuple(names)]
    return [tuple(names[:2]), *((name,) for name in names[2:])]


class Run:
    """One run: what was found so far, where it is written, and how much time is left."""

    def __init__(self, asked: argparse.Namespace, work: Path) -> None:
        self.asked, self.work = asked, work
        self.start = time.monotonic()
        self.path: Path | None = None
        self.result: dict[str, Any] = {"what": __doc__.split("\n")[0], "tiny": asked.tiny}

    def parts(self, names: tuple[str, ...]) -> int:
        """Run parts in one process within their time; its exit code."""
        began = time.monotonic()
        left = 60 * self.asked.minutes - (began - self.start)
        limit = min(sum(LIMITS_S[name] for name in names), left)
        if limit < LEAST_S:
            return self._note(names, "left out: no time was left", 1)
        code, said = self._watch(names, limit)
        cut = time.monotonic() - began >= limit
        state = f"cut off after {limit:.0f} s" if cut else f"failed: {said}"
        return code if code in (0, NO_GPU) else self._note(names, state, code)

    def _note(self, names: tuple[str, ...], state: str, code: int) -> int:
        """What became of those that did not say themselves that they are done."""
        noted = self.result.setdefault("parts", {})
        for name in names:
            noted.setdefault(name, {"state": state})
        return code

    def _watch(self, names: tuple[str, ...], limit: float) -> tuple[int, str]:
        """Run a child, taking what it finds as it comes; its exit code and last words."""
        device = "cpu" if names == ("outputs-cpu",) else self.asked.device
        command = [sys.executable, "-m", "benchmarks.gpu_parts", *names, "--device", device]
        command += ["--work", str(self.work), *(["--tiny"] if self.asked.tiny else [])]
        surroundings = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
        if device == "cpu":
            surroundings["CUDA_VISIBLE_DEVICES"] = "-1"
        log = self.work / f"{names[-1]}.log"
        with log.open("wb") as errors:
            child = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | surroundings, text=True,
                stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
            timer = threading.Timer(limit, child.kill)
            timer.start()
            assert child.stdout is not None
            for line in child.stdout:
                self._take(json.loads(line))
            code = child.wait()
            timer.cancel()
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return code, said[-1][:300] if said else f"exit code {code}"

    def _take(self, finding: dict[str, Any]) -> None:
        """Put one finding where it belongs, and write all down."""
        *path, last = finding["at"]
        place = self.result
        for key in path:
            place = place.setdefault(key, {})
        place[last] = finding["value"]
        if self.path is None:
            self._open()
        digest(self.result)
        self._write()

    def _write(self) -> None:
        assert self.path is not None
        files.write_json(self.path, self.result)

    def _open(self) -> None:
        """The file's name is the device's; with ``--parts`` what stands there is added to."""
        name = re.sub(r"\W+", "_", self.result["device"]["name"].lower())
        self.path = self.asked.out / f"gpu_{name}{'_tiny' * self.asked.tiny}.json"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.asked.parts and self.path.is_file():
            self.result = files.read_json(self.path) | self.result
            for name in self.asked.parts:
                self.result["parts"].pop(name, None)

    def finish(self) -> None:
        """Write the state of all parts and the verdict."""
        digest(self.result)
        self.result["seconds"] = round(time.monotonic() - self.start, 1)
        self.result["faults"] = faults(self.result)
        self._write()


def digest(result: dict[str, Any]) -> None:
    """Add to every measured step what it computes a second, and its share of the peak."""
    device = result["device"]
    for sides in result.get("speed", {}).values():
        counted = [side["gflop"] for side in sides.values() if "gflop" in side]
        for name, side in sides.items():
            if not counted or "ms" not in side:
                continue
            side["tflops"] = counted[0] / side["ms"]
            peak = _peak(device, "bfloat16" if name.startswith("bfloat16") else "float32")
            if peak is not None:
                side["share_of_peak"] = side["tflops"] / peak


def _peak(device: dict[str, Any], precision: str) -> float | None:
    """TFLOP/s of the data sheet, else of the matrix product."""
    tf32 = precision == "float32" and device["float32_is_tf32"]
    sheet = peak_tflops(device["name"], "tf32" if tf32 else precision)
    return sheet or device.get("matmul_tflops", {}).get(precision)


def goals(result: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Each goal that was measured: what, how much, how much it should be at least."""
    found = []
    for case, side, what, least in GOALS:
        measured = result.get("speed", {}).get(case, {}).get(side, {}).get(what)
        if measured is not None:
            found.append((f"{case}, {side}: {what}", measured, least))
    return found


def binding(result: dict[str, Any]) -> bool:
    """Whether the goals are for this device."""
    return any(name in result["device"]["name"] for name in GOALS_FOR)


def faults(result: dict[str, Any]) -> list[str]:
    """What did not go as it should."""
    found = [
        f"{name}: {part['state']}"
        for name, part in result.get("parts", {}).items()
        if part["state"] != "done"
    ]
    found += [
        f"one step in {name} is further from the CPU's than the tolerance"
        for name, side in result.get("outputs", {}).items()
        if not side["within"]
    ]
    # Four steps of a tiny network are no curve.
    if not result["tiny"] and not result.get("curve", {}).get("within", True):
        found.append("bfloat16 leaves the noise of seeds")
    if "device" in result and binding(result):
        found += [f"{what} {got:.3g} < {least:g}" for what, got, least in goals(result)
                  if got < least]  # fmt: skip
    return found


def report(result: dict[str, Any]) -> list[str]:
    """All that was found, in lines."""
    device = result["device"]
    means = "TF32" if device["float32_is_tf32"] else "float32 itself"
    lines = [f"{device['name']}, driver {device['driver']}, TensorFlow {device['tensorflow']};"
             f" float32 means {means}"]  # fmt: skip
    for case, sides in result.get("speed", {}).items():
        lines.append(case)
        for name, side in sides.items():
            lines.append(f"  {name:13} {_in_words(side)}")
    for name, side in result.get("outputs", {}).items():
        apart = ", ".join(
            f"{kind} {value:.1e} (at most {side['tolerance'][kind]:.0e})"
            for kind, value in side["distance"].items()
        )
        lines.append(f"one step in {name} against the CPU: {apart}")
    if found := result.get("curve"):
        away = ", ".join(f"{name} {value:.2f}" for name, value in found["deviations"].items())
        lines.append(f"curve: {away} standard deviations between seeds (at most {found['most']:g})")
    if found := result.get("wait"):
        lines.append(
            f"reading: {found['img_per_s_read']:.1f} img/s against {found['img_per_s_held']:.1f}"
            f" from memory, {found['share_of_time_in_next']:.0%} of the time in next()"
        )
    for what, got, least in goals(result):
        verdict = ("passed" if got >= least else "MISSED") if binding(result) else "of an H100"
        lines.append(f"goal {what} {got:.3g}, at least {least:g}: {verdict}")
    return [*lines, *(f"FAULT {text}" for text in faults(result))]


def _in_words(side: dict[str, Any]) -> str:
    if "failed" in side:
        return str(side["failed"])
    text = f"{side['img_per_s']:8.1f} img/s  {side['ms']:8.2f} ms"
    if side.get("peak_mib") is not None:
        text += f"  {side['peak_mib']:7.0f} MiB"
    if "tflops" in side:
        text += f"  {side['tflops']:7.2f} TFLOP/s"
    if "share_of_peak" in side:
        text += f" = {side['share_of_peak']:.1%} of the peak"
    return f"{text}  first step {side['first_step_s']:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
