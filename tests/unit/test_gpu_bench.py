"""The benchmark for GPUs: run on the CPU with nothing else installed, and what it makes of it."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from benchmarks import gpu
from benchmarks.flops import peak_tflops, step_gflop
from tests.doors import HANG_S

ROOT = Path(__file__).resolve().parents[2]


def closure(names: list[str]) -> Iterator[metadata.Distribution]:
    """Installed distributions that these need, they themselves with them."""
    seen: set[str] = set()
    while names:
        name = names.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        found = metadata.distribution(name)
        yield found
        needs = [Requirement(text) for text in found.requires or ()]
        names += [n.name for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]


def link(files: list[metadata.PackagePath], packages: Path) -> None:
    """Links to a distribution's packages; one that others share (google) is entered."""
    for file in files:
        if ".." in file.parts or file.suffix == ".pth":
            continue
        source, target = Path(str(file.locate())), packages
        parts = list(file.parts)
        base = source.parents[len(parts) - 1]
        while len(parts) > 1 and not (base / parts[0] / "__init__.py").is_file():
            base, target = base / parts[0], target / parts.pop(0)
            target.mkdir(exist_ok=True)
        place = target / parts[0]
        if not place.exists():
            place.symlink_to(base / parts[0])


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """A Python with TensorFlow and the listed wheels, linked from where they are installed."""
    root = tmp_path_factory.mktemp("bare")
    venv.create(root, with_pip=False, symlinks=True)
    packages = next((root / "lib").glob("python3.*/site-packages"))
    lines = (ROOT / "requirements-gpu-bench.txt").read_text().splitlines()
    listed = [Requirement(text).name for line in lines if (text := line.partition("#")[0].strip())]
    for found in closure([tensorflow(), *listed]):
        link(list(found.files or ()), packages)
    return root


def tensorflow() -> str:
    builds = ("tensorflow-cpu", "tensorflow")
    there = {one.metadata["Name"].replace("_", "-") for one in metadata.distributions()}
    return next(name for name in builds if name in there)


@pytest.mark.slow
def test_it_runs_with_tensorflow_and_the_listed_wheels_alone(bare: Path, tmp_path: Path) -> None:
    packages = {
        path.name for path in next((bare / "lib").glob("python3.*/site-packages")).iterdir()
    }
    assert {"tensorflow", "pydantic", "google_crc32c"} <= packages
    assert not packages & {"rasterio", "pandas", "matplotlib", "tensorboard", "scipy", "xarray"}
    surroundings = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [bare / "bin" / "python", "-m", "benchmarks.gpu", "--device", "cpu", "--tiny",
         "--minutes", "15", "--out", tmp_path],
        cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "gpu_cpu_tiny.json").read_text())
    assert result["faults"] == []
    assert {part["state"] for part in result["parts"].values()} == {"done"}
    assert set(result["parts"]) == set(gpu.LIMITS_S)
    assert "float32 means float32 itself" in done.stdout
    plain, ours = (result["speed"][f"{name} 64 px batch 2"] for name in ("pix2pix", "edsr"))
    assert set(plain) == {"plain"} and set(ours) == {"float32", "bfloat16", "bfloat16+xla"}
    for side in (*plain.values(), *ours.values()):
        assert side["img_per_s"] > 0 and side["tflops"] > 0 and "peak_mib" in side
    # Rounded otherwise, and not by much: a comparison of a side with itself would say 0.
    assert 1e-4 < result["outputs"]["bfloat16"]["distance"]["gradients"] < 0.1
    assert result["outputs"]["float32"]["distance"]["gradients"] < 1e-5
    assert 0 < result["wait"]["share_of_time_in_next"] < 1


def h100(speed: dict, **further) -> dict:
    device = {"name": "NVIDIA H100 80GB HBM3", "driver": "555.42.06", "tensorflow": "2.21.0",
              "float32_is_tf32": True}  # fmt: skip
    made = {"device": device, "tiny": False, "speed": speed, "parts": {}, **further}
    gpu.digest(made)
    return made


def test_shares_and_goals_on_an_h100() -> None:
    one = {"img_per_s": 160.0, "ms": 6.25, "first_step_s": 3.0, "peak_mib": 900.0}
    speed = {
        "pix2pix 256 px batch 1": {
            "plain": {**one, "gflop": 80.0}, "bfloat16": {**one}, "bfloat16+xla": {**one},
        },
        "edsr 128 px batch 4": {"bfloat16": {**one, "ms": 40.0, "gflop": 15000.0}},
    }  # fmt: skip
    result = h100(speed)
    sides = result["speed"]["pix2pix 256 px batch 1"]
    assert sides["plain"]["share_of_peak"] == pytest.approx(80 / 6.25 / 494.7)  # TF32
    assert sides["bfloat16"]["share_of_peak"] == pytest.approx(80 / 6.25 / 989.4)
    text = "\n".join(gpu.report(result))
    assert "float32 means TF32" in text
    assert "batch 1, bfloat16: img_per_s 160, at least 150: passed" in text
    assert "batch 1, bfloat16+xla: img_per_s 160, at least 300: MISSED" in text
    assert "edsr 128 px batch 4, bfloat16: share_of_peak 0.379, at least 0.3: passed" in text
    assert gpu.faults(result) == ["pix2pix 256 px batch 1, bfloat16+xla: img_per_s 160 < 300"]
    result["device"]["name"] = "NVIDIA L4"
    assert gpu.faults(result) == [] and "at least 300: of an H100" in "\n".join(gpu.report(result))


def test_numbers_that_stray_are_faults() -> None:
    outputs = {
        "tf32": {"within": False, "distance": {"output": 0.3}, "tolerance": {"output": 0.01}}
    }
    curve = {"within": False, "deviations": {"bfloat16": 4.0}, "most": 2.0}
    found = gpu.faults(h100({}, outputs=outputs, curve=curve))
    assert found == [
        "one step in tf32 is further from the CPU's than the tolerance",
        "bfloat16 leaves the noise of seeds",
    ]


def test_what_a_cut_off_part_found_is_kept(tmp_path: Path, monkeypatch) -> None:
    # Stands for the interpreter: tells two findings and then hangs, as XLA may.
    program = tmp_path / "python"
    facts = {"name": "NVIDIA L4", "float32_is_tf32": True, "driver": "1", "tensorflow": "2"}
    side = {"img_per_s": 1.0, "ms": 2.0, "first_step_s": 3.0}
    done = {"state": "done"}
    lines = [{"at": ["device"], "value": facts}, {"at": ["parts", "device"], "value": done},
             {"at": ["speed", "case", "plain"], "value": side}]  # fmt: skip
    said = "\n".join(f"echo '{json.dumps(line)}'" for line in lines)
    program.write_text(f"#!/bin/sh\n{said}\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    asked = argparse.Namespace(device="gpu", tiny=False, minutes=5.0, parts=None, out=tmp_path)
    monkeypatch.setattr(gpu, "LIMITS_S", dict.fromkeys(gpu.LIMITS_S, 0.3))
    monkeypatch.setattr(gpu, "LEAST_S", 0.1)
    run = gpu.Run(asked, tmp_path)
    assert run.parts(("device", "speed")) != 0
    run.finish()
    kept = json.loads((tmp_path / "gpu_nvidia_l4.json").read_text())
    assert kept["speed"]["case"]["plain"]["ms"] == 2.0
    assert kept["parts"]["device"]["state"] == "done"
    assert kept["faults"] == ["speed: cut off after 1 s"]
    # Only what was lacking, later: what is there stays.
    program.write_text(f"#!/bin/sh\n{said.replace('speed', 'xla')}\n")
    asked.parts = ["xla"]
    again = gpu.Run(asked, tmp_path)
    assert gpu.plan(asked) == [("device", "xla")] and again.parts(("device", "xla")) == 0
    assert again.result["speed"]["case"]["plain"]["ms"] == 2.0


def test_operations_are_those_that_run() -> None:
    import tensorflow as tf

    kernel = tf.Variable(tf.ones([3, 3, 4, 8]))
    second = tf.Variable(tf.ones([8, 2]))

    @tf.function
    def step(images):
        with tf.GradientTape() as tape:
            maps = tf.nn.conv2d(images, kernel, 2, "SAME")  # [2, 8, 8, 8]
            total = tf.reduce_sum(tf.matmul(tf.reduce_mean(maps, (1, 2)), second))
        for variable, gradient in zip(
            (kernel, second), tape.gradient(total, (kernel, second)), strict=True
        ):
            variable.assign_sub(gradient)
        return total

    concrete = step.get_concrete_function(tf.TensorSpec([2, 16, 16, 4]))
    convolution, product = 2 * (3 * 3 * 4 * 8) * (2 * 8 * 8), 2 * 2 * 8 * 2
    # Forward and by the kernel; the gradient by the images is made, and nobody asks for it. The
    # product has both.
    assert step_gflop(concrete) * 1e9 == 2 * convolution + 3 * product


@pytest.mark.parametrize(
    ("name", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756.0),
        ("NVIDIA H200", 989.4),
        ("NVIDIA A100-SXM4-40GB", 312.0),
        ("NVIDIA L40S", 362.1),
        ("NVIDIA L4", 121.0),
        ("NVIDIA GH200 480GB", 989.4),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),  # another chip
        ("NVIDIA GeForce RTX 4090 D", None),
        ("NVIDIA GeForce RTX 3090 Ti", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),  # a seventh of one
        ("Tesla T4", None),
        ("CPU", None),
    ],
)
def test_peaks_by_the_name_that_the_driver_gives(name: str, tflops: float | None) -> None:
    assert peak_tflops(name, "bfloat16") == tflops
