"""The parts of :mod:`benchmarks.gpu`, run by it in processes of their own.

    python -m benchmarks.gpu_parts speed --device cpu --tiny --work FOLDER

Every finding is a line of JSON on the standard output at once, ``{"at": [...], "value": {...}}``,
so that what ends a part costs no more than the part's rest.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.sides import BFLOAT16, FLOAT32, OLCI_BANDS, PLAIN, XLA, Case, Side, batches_of  # noqa: E402  # noqa: E402

NO_GPU = 2
ROUNDS, SECONDS = 3, 0.7
CASES = (
    Case("pix2pix", 256, 1),
    Case("pix2pix", 256, 16),
    Case("aris-a", 256, 1, OLCI_BANDS),
    Case("aris-a", 256, 4, OLCI_BANDS),
)
# The paper's large network; 128 px and 4 images keep a large GPU busy and fit a small one.
EDSR = Case("edsr", 128, 4, params={"blocks": 32, "width": 4.0, "residual_scale": 0.1})
TINY = Case("pix2pix", 64, 2, params={"width": 0.1})
TINY_EDSR = Case("edsr", 64, 2, params={"blocks": 2, "width": 0.1})
# Largest relative distance from the CPU in float32, |a - b| / |b| over all numbers of a kind: of
# float32 the order of sums, of TF32 (10 bits) and bfloat16 (7 bits) the rounding of every product
# through some forty layers, forward and back. On a CPU bfloat16 was off by 0.003, 0.0002 and 0.16.
TOLERANCES = {
    "float32": {"output": 1e-4, "losses": 1e-4, "gradients": 1e-2},
    "tf32": {"output": 1e-2, "losses": 1e-2, "gradients": 0.1},
    "bfloat16": {"output": 5e-2, "losses": 5e-2, "gradients": 0.4},
}


def main() -> int:
    """Run the parts named; 2 where a GPU is asked for and none is there."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("parts", nargs="+", choices=PARTS)
    made.add_argument("--device", choices=("gpu", "cpu"), required=True)
    made.add_argument("--tiny", action="store_true")
    made.add_argument("--work", type=Path, required=True, help="folder of this run")
    asked = made.parse_args()
    import tensorflow as tf

    if asked.device == "gpu" and not tf.config.list_physical_devices("GPU"):
        return NO_GPU
    for name in asked.parts:
        start = time.perf_counter()
        PARTS[name](asked)
        emit(["parts", name], {"state": "done", "s": round(time.perf_counter() - start, 1)})
    return 0


def emit(at: Sequence[str], value: Any) -> None:
    """Tell one finding."""
    sys.stdout.write(json.dumps({"at": list(at), "value": value}) + "\n")
    sys.stdout.flush()


def device(asked: argparse.Namespace) -> None:
    """What is measured on, what float32 means there, and what a matrix product reaches."""
    import keras
    import tensorflow as tf

    from sensor2sensor.core import cuda

    gpu = asked.device == "gpu"
    details = _details() if gpu else {}
    driver = cuda.ask_driver() if gpu else None
    tf32 = gpu and tf.config.experimental.tensor_float_32_execution_enabled()
    capability = details.get("compute_capability")
    emit(["device"], {
        "name": details.get("device_name", "CPU"),
        "kind": asked.device,
        "compute_capability": cuda.dotted(capability) if capability else None,
        "driver": driver.version if driver else None,
        "build": {key: str(value) for key, value in tf.sysconfig.get_build_info().items()},
        "tensorflow": tf.__version__, "keras": keras.__version__,
        "cpus": os.cpu_count(),
        # TensorFlow rounds the factors of float32 products to TF32 where the GPU can (8.0 on).
        "float32_is_tf32": bool(tf32 and capability and tuple(capability) >= (8, 0)),
    })  # fmt: skip
    side = {True: 128, False: 8192 if gpu else 2048}[asked.tiny]
    for name in ("float32", "bfloat16"):
        emit(["device", "matmul_tflops", name], _matmul_tflops(side, name))


def _details() -> dict[str, Any]:
    import tensorflow as tf

    gpu = tf.config.list_physical_devices("GPU")[0]
    found: dict[str, Any] = tf.config.experimental.get_device_details(gpu)
    return found


def _matmul_tflops(side: int, kind: str) -> float:
    import tensorflow as tf

    @tf.function
    def chain(left: Any, right: Any) -> Any:
        for _ in range(10):
            left = tf.matmul(left, right)
        return tf.reduce_sum(tf.cast(left, tf.float32))

    left, right = (tf.cast(tf.random.normal([side, side]) / side**0.5, kind) for _ in range(2))
    float(chain(left, right))
    start = time.perf_counter()
    float(chain(left, right))
    return 10 * 2 * side**3 / (time.perf_counter() - start) / 1e12


def speed(asked: argparse.Namespace) -> None:
    """pix2pix plain, in float32 and in bfloat16, and the large edsr."""
    pairs = [(case, name) for case in CASES[:2] for name in (PLAIN, FLOAT32, BFLOAT16)]
    pairs.append((EDSR, BFLOAT16))
    _measure_all([(TINY, PLAIN), (TINY_EDSR, BFLOAT16)] if asked.tiny else pairs, asked)


def xla(asked: argparse.Namespace) -> None:
    """What XLA makes of bfloat16; to compile takes most of the time."""
    cases = (TINY_EDSR,) if asked.tiny else (*CASES[:2], EDSR)
    _measure_all([(case, XLA) for case in cases], asked)


def aris(asked: argparse.Namespace) -> None:
    """aris-a in all forms."""
    pairs = [(case, name) for case in CASES[2:] for name in (PLAIN, FLOAT32, BFLOAT16)]
    pairs += [(case, XLA) for case in CASES[2:]]
    _measure_all([(TINY_EDSR, FLOAT32)] if asked.tiny else pairs, asked)


def _measure_all(pairs: Sequence[tuple[Case, str]], asked: argparse.Namespace) -> None:
    import tensorflow as tf

    for case, name in pairs:
        try:
            emit(["speed", case.name, name], _measure(case, name, asked))
        except tf.errors.ResourceExhaustedError as error:
            emit(["speed", case.name, name], {"failed": f"out of memory: {error.message[:200]}"})
        tf.keras.backend.clear_session()
        gc.collect()  # networks refer to each other in rings; the next side's memory is its own


def _measure(case: Case, name: str, asked: argparse.Namespace) -> dict[str, Any]:
    memory = GpuMemory() if asked.device == "gpu" else CpuMemory()
    side, batches = Side(name, case), batches_of(case, 4)
    start = time.perf_counter()
    side.steps(batches, 1)
    first_s = time.perf_counter() - start
    start = time.perf_counter()
    side.steps(batches, 3)
    about_s = (time.perf_counter() - start) / 3
    count = 2 if asked.tiny else max(3, min(300, round(SECONDS / about_s)))
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        side.steps(batches, count)
        taken.append((time.perf_counter() - start) / count)
    middle = statistics.median(taken)
    result = {"img_per_s": case.batch / middle, "ms": 1e3 * middle, "first_step_s": first_s}
    result |= {"steps": ROUNDS * count, "peak_mib": memory.peak_mib()}
    # Where there is a plain side, its count stands for all: it holds nothing that is merged.
    if name == PLAIN or case.model == "edsr":
        from benchmarks.flops import step_gflop

        result["gflop"] = step_gflop(side.concrete())
    return result


class GpuMemory:
    """Peak of what TensorFlow holds on the GPU, weights and moments with it."""

    def __init__(self) -> None:
        import tensorflow as tf

        self._told = tf.config.experimental.get_memory_info
        tf.config.experimental.reset_memory_stats("GPU:0")
        self._before: int = self._told("GPU:0")["current"]

    def peak_mib(self) -> float:
        """Above what was held before."""
        return float(self._told("GPU:0")["peak"] - self._before) / 2**20


class CpuMemory:
    """Peak of what the process holds; None where the kernel does not let the peak begin anew."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self._before: float | None = self._mib("VmRSS")
        except OSError:
            self._before = None

    def peak_mib(self) -> float | None:
        """Above what was held before."""
        return None if self._before is None else self._mib("VmHWM") - self._before

    @staticmethod
    def _mib(field: str) -> float:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return float(status.split(f"{field}:")[1].split()[0]) / 1024


def outputs_cpu(asked: argparse.Namespace) -> None:
    """One step on the CPU in float32, kept for :func:`outputs`."""
    import numpy as np

    np.savez(asked.work / "cpu.npz", **_one_step(FLOAT32, asked.tiny))


def outputs(asked: argparse.Namespace) -> None:
    """The same step on the device, in every precision, beside the CPU's."""
    import numpy as np
    import tensorflow as tf

    with np.load(asked.work / "cpu.npz") as kept:
        reference = dict(kept)
    for name in TOLERANCES:
        tf.config.experimental.enable_tensor_float_32_execution(name != "float32")
        found = _one_step(BFLOAT16 if name == "bfloat16" else FLOAT32, asked.tiny)
        emit(["outputs", name], distances(found, reference, TOLERANCES[name]))


def _one_step(name: str, tiny: bool) -> dict[str, Any]:
    """Output before a step, losses of it, and gradients (Adam's first moments begin with them)."""
    import numpy as np

    case = TINY_EDSR if tiny else Case("aris-a", 64, 4, OLCI_BANDS, {"width": 0.25})
    side, batches = Side(name, case), batches_of(case, 1)
    output = side.gan.generator(batches[0][0], training=False)
    losses = side.step(batches[0])
    optimizers = (side.gan.generator_optimizer, side.gan.discriminator_optimizer)
    moments = [np.ravel(m) for one in optimizers if one for m in one._momentums]
    return {
        "output": np.asarray(output, np.float32),
        "losses": np.array([float(value) for value in losses.values()]),
        "gradients": np.concatenate(moments),
    }


def distances(
    found: dict[str, Any], reference: dict[str, Any], tolerances: dict[str, float]
) -> dict[str, Any]:
    """Relative distance of each kind of number, its tolerance, and whether all are within."""
    import numpy as np

    norm = np.linalg.norm
    apart = {
        kind: float(norm(np.ravel(found[kind] - value)) / norm(np.ravel(value)))
        for kind, value in reference.items()
    }
    within = all(apart[kind] <= most for kind, most in tolerances.items())
    return {"distance": apart, "tolerance": tolerances, "within": within}


def curve(asked: argparse.Namespace) -> None:
    """Whether bfloat16 learns as float32 does: three seeds of each on the same batches."""
    from benchmarks.curves import compared, curves

    case, steps = Case("pix2pix", 64, 8, params={"width": 0.25}), 150
    if asked.tiny:
        case, steps = TINY_EDSR, 4
    found = curves(case, (FLOAT32, BFLOAT16), seeds=3, steps=steps)
    emit(["curve"], {"case": case.name, "steps": steps, **compared(found, FLOAT32)})


def wait(asked: argparse.Namespace) -> None:
    """How much of its time a step that reads a data set waits for it."""
    import tempfile

    from tests.fakes_dataset import make_dataset

    tiny = asked.tiny
    case = TINY_EDSR if tiny else CASES[1]
    with tempfile.TemporaryDirectory(dir=asked.work) as folder:
        tiles = {"tile_px": case.size, "train": 2 * case.batch, "val": 1, "test": 1}
        data = make_dataset(Path(folder), factor=4, **tiles)
        emit(["wait"], {"case": case.name, **_fed(data, case, 3 if tiny else 40)})


def _fed(data: Path, case: Case, steps: int) -> dict[str, float]:
    from sensor2sensor.dataset.contract import load_contract
    from sensor2sensor.pipeline.batching import ReaderOptions
    from sensor2sensor.pipeline.normalisation import Normalisation
    from sensor2sensor.pipeline.reader import training_batches

    contract = load_contract(data)
    options = ReaderOptions(batch_size=case.batch, random_rotate=True)
    batches = iter(training_batches(data, contract, Normalisation("symmetric", contract), options))
    side = Side(BFLOAT16, case)
    held = [(batch["input"], batch["target"]) for batch in (next(batches), next(batches))]
    side.steps(held, 3)
    start = time.perf_counter()
    side.steps(held, steps)
    held_s, waited_s = time.perf_counter() - start, 0.0
    start = time.perf_counter()
    for _ in range(steps):
        asking = time.perf_counter()
        batch = next(batches)
        waited_s += time.perf_counter() - asking
        losses = side.step((batch["input"], batch["target"]))
    float(losses["total_gen_loss"])
    fed_s = time.perf_counter() - start
    return {
        "img_per_s_held": steps * case.batch / held_s,
        "img_per_s_read": steps * case.batch / fed_s,
        "share_of_time_in_next": waited_s / fed_s,
    }


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "device": device,
    "speed": speed,
    "xla": xla,
    "outputs-cpu": outputs_cpu,
    "outputs": outputs,
    "curve": curve,
    "wait": wait,
    "aris": aris,
}

if __name__ == "__main__":
    sys.exit(main())
