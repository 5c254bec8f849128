"""The doctor: what it reports of a sound and of a broken environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor import doctor
from sensor2sensor.__main__ import main
from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import cuda


def test_a_sound_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "environment.json").write_text("{}")
    assert main(["doctor", "--environment", str(tmp_path / "environment.json")]) == 0
    text = capsys.readouterr().out
    assert "JP2OpenJPEG" in text and "tensorflow" in text and "numpy" in text
    assert f"ok    data_root: {tmp_path / 'data'}" in text
    assert "s2_root: " in text and "does not exist yet" in text
    assert text.endswith("0 fault(s)\n")


def test_a_broken_environment_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "environment.json").write_text('{"data_rot": "x"}')
    assert main(["doctor", "--environment", str(tmp_path / "environment.json")]) == 1
    text = capsys.readouterr().out
    assert "FAULT" in text and "nearest: 'data_root'" in text
    assert text.endswith("1 fault(s)\n")


def test_a_project_root_that_is_nowhere_is_told_once_by_every_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "environment.json").write_text('{\n "project_root": "/nowhere/arisgan"\n}')
    for _ in range(2):
        environment = load_environment(tmp_path / "environment.json")
    line = "project_root: no folder /nowhere/arisgan; no step reads this key, leave it out"
    assert environment.project_root == Path("/nowhere/arisgan")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'environment.json'}:2 {line}"
    ]
    report = doctor._Report()
    doctor._roots(report, str(tmp_path / "environment.json"))
    assert f"note  {line}" in capsys.readouterr().out and report.faults == 0


# What nvidia-smi prints, cut to the lines that are read: a server, a driver that is behind, a
# laptop under WSL2, and the three ways in which it fails.
TABLE = """Thu Mar 14 09:12:44 2024
+---------------------------------------------------------------------------------------+
| NVIDIA-SMI {driver}             Driver Version: {driver}   CUDA Version: {cuda}     |
|-----------------------------------------+----------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id        Disp.A | Volatile Uncorr. ECC |
|=========================================+======================+======================|
|   0  NVIDIA H100 80GB HBM3          On  | 00000000:19:00.0 Off |                    0 |
"""
H100 = "NVIDIA H100 80GB HBM3, 550.54.15, 9.0, 81559 MiB\n"
RTX = "NVIDIA GeForce RTX 5060 Ti, 573.76, 12.0, 16311 MiB\n"
OLD_QUERY = 'Field "compute_cap" is not a valid field to query.\n'
UNLOADED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that"
    " the latest NVIDIA driver is installed and running.\n"
)
MISMATCH = (
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.113\n"
)
CUDA_BUILD = {
    "is_cuda_build": True,
    "cuda_version": "12.5.1",
    "cudnn_version": "9.3.0",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}
THERE = [
    cuda.Library("libcudart", (12, 5, 82), Path("/wheels/cuda_runtime/lib"), False),
    cuda.Library("libcudnn", (9, 3, 0, 75), Path("/wheels/cudnn/lib"), False),
]


def said(kind: str, driver: cuda.Driver | None, libraries=THERE, build=CUDA_BUILD) -> str:
    return "\n".join(t for k, t in cuda.findings(build, driver, libraries) if k == kind)


def test_a_sound_gpu_is_named_with_driver_cuda_and_cudnn() -> None:
    driver = cuda.read_driver(TABLE.format(driver="555.42.06", cuda="12.5"), H100)
    assert driver.gpus == (cuda.Gpu("NVIDIA H100 80GB HBM3", (9, 0), "81559 MiB"),)
    assert said("fault", driver) == said("hint", driver) == ""
    good = said("good", driver)
    assert "built with CUDA 12.5.1 and cuDNN 9.3.0" in good
    assert "driver 555.42.06, which runs CUDA up to 12.5" in good
    assert "libcudnn 9.3.0.75 in /wheels/cudnn/lib" in good
    assert "NVIDIA H100 80GB HBM3, compute capability 9.0, 81559 MiB" in good


@pytest.mark.parametrize(
    ("table", "rows", "kind", "text"),
    [
        (TABLE.format(driver="470.82.01", cuda="11.4"), OLD_QUERY, "fault",
         "CUDA 12.5.1 needs driver 525.60.13 or newer"),
        (TABLE.format(driver="535.104.05", cuda="12.2"), H100, "hint", "a newer driver is better"),
        (TABLE.format(driver="573.76", cuda="12.8"), RTX, "hint",
         "RTX 5060 Ti, compute capability 12.0: this TensorFlow has no code for Blackwell"),
        (TABLE.format(driver="535.104.05", cuda="12.2"), "Tesla K80, 535.104.05, 3.7, 11441 MiB\n",
         "fault", "Tesla K80, compute capability 3.7: this TensorFlow begins at 6.0"),
        (UNLOADED, UNLOADED, "fault", "its kernel module is not loaded"),
        (MISMATCH, MISMATCH, "fault", "the driver was updated, the old one still runs"),
        ("No devices were found\n", "No devices were found\n", "fault", "no GPU is given to this"),
        (TABLE.format(driver="555.42.06", cuda="12.5"), "", "fault", "no GPU is given to this"),
    ],
)  # fmt: skip
def test_what_a_gpu_cannot_be_used_for_is_said(table, rows, kind, text) -> None:
    assert text in said(kind, cuda.read_driver(table, rows))


def test_the_libraries_that_the_loader_finds(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "libcudnn.so.9").touch()
    (tmp_path / "old" / "libcudnn.so.9.1.0").touch()
    wheel = tmp_path / "site" / "nvidia" / "cuda_runtime" / "lib"
    wheel.mkdir(parents=True)
    (wheel / "libcudart.so.12").touch()
    found = cuda.find_libraries(f"/nowhere::{tmp_path / 'old'}", [tmp_path / "site"])
    assert found[:2] == [
        cuda.Library("libcudnn", (9, 1, 0), tmp_path / "old", True),
        cuda.Library("libcudart", (12,), wheel, False),
    ]
    driver = cuda.read_driver(TABLE.format(driver="555.42.06", cuda="12.5"), H100)
    text = f"libcudnn 9.1.0 in {tmp_path / 'old'} is too old; take its folder off LD_LIBRARY_PATH"
    assert said("fault", driver, found) == text
    eight = [cuda.Library("libcudnn", (8, 9), Path("/usr/lib"), False), THERE[0]]
    assert said("fault", driver, eight).startswith("no libcudnn.so.9 (there is 8.9); pip install")


def test_without_a_gpu_it_says_why_in_plain_words() -> None:
    assert said("hint", None) == (
        "no nvidia-smi on the PATH: this machine has no NVIDIA driver, so no GPU"
    )
    assert list(cuda.findings({"is_cuda_build": False}, None, [])) == []
    driver = cuda.read_driver(TABLE.format(driver="555.42.06", cuda="12.5"), H100)
    text = said("hint", driver, build={"is_cuda_build": False})
    assert text.startswith("NVIDIA H100 80GB HBM3 is here, and TensorFlow is a CPU build")


def test_a_driver_that_hangs_or_is_broken_is_no_traceback(tmp_path, monkeypatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{MISMATCH.splitlines()[0]}'\nexit 18\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert cuda.ask_driver() == cuda.Driver(problem=MISMATCH.splitlines()[0])
    program.write_text("not a program")
    assert cuda.ask_driver().problem
    monkeypatch.setenv("PATH", "/nowhere")
    assert cuda.ask_driver() is None
