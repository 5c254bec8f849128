"""Driver, CUDA and cuDNN of a machine, held against what TensorFlow was built with.

TensorFlow itself says no more than that it found no GPU. Free of TensorFlow: what it wants is
given (``tf.sysconfig.get_build_info()``), what is there is read from ``nvidia-smi`` and from the
folders that the loader searches.
"""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

Version = tuple[int, ...]
Finding = tuple[Literal["good", "hint", "fault"], str]

QUERY = ("--query-gpu=name,driver_version,compute_cap,memory.total", "--format=csv,noheader")
# The oldest Linux driver that runs programs of a CUDA release, by NVIDIA's table "CUDA Toolkit and
# Minimum Required Driver Version for CUDA Minor Version Compatibility".
OLDEST_DRIVER = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580,)}
BLACKWELL = (10,)
LIBRARIES = {"libcudart": "cuda_version", "libcudnn": "cudnn_version"}
WHEELS = {"libcudart": "nvidia-cuda-runtime-cu{}", "libcudnn": "nvidia-cudnn-cu{}"}
INSTALL = "pip install -r requirements-gpu.txt brings them"
# What nvidia-smi says when it fails, and what to do.
TROUBLES = {
    "couldn't communicate": "its kernel module is not loaded: install the driver anew for this"
    " kernel, or start the machine again",
    "version mismatch": "the driver was updated, the old one still runs: start the machine again",
    "No devices were found": "the driver runs and no GPU is given to this machine or container",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU as the driver knows it: its name, compute capability (None: not told), memory."""

    name: str
    capability: Version | None
    memory: str


@dataclass(frozen=True)
class Driver:
    """What ``nvidia-smi`` says.

    Attributes:
        version: Of the driver, as it writes it; None where it did not answer.
        cuda: The newest CUDA that the driver runs.
        gpus: The GPUs it sees.
        problem: What it says instead.
    """

    version: str | None = None
    cuda: Version | None = None
    gpus: tuple[Gpu, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class Library:
    """A library that the loader would find.

    Attributes:
        name: ``libcudart`` or ``libcudnn``.
        version: As far as its file or its wheel tells.
        folder: Where it lies.
        first: Whether the folder is on ``LD_LIBRARY_PATH``, which goes before all others.
    """

    name: str
    version: Version
    folder: Path
    first: bool


def ask_driver() -> Driver | None:
    """What ``nvidia-smi`` of this machine says; None where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        table, rows = (
            subprocess.run(  # noqa: S603 - a fixed program with fixed options
                [program, *options], capture_output=True, text=True, timeout=20, check=False
            )
            for options in ((), QUERY)
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Driver(problem=str(error))
    return read_driver(table.stdout + table.stderr, rows.stdout)


def read_driver(table: str, rows: str) -> Driver:
    """What ``nvidia-smi`` printed, as a whole (``table``) and with :data:`QUERY` (``rows``)."""
    driver = re.search(r"(?:Driver Version|KMD Version): *([\d.]+)", table)
    cuda = re.search(r"CUDA (?:UMD )?Version: *([\d.]+)", table)
    if driver is None:
        said = next((line.strip() for line in table.splitlines() if line.strip()), "nothing")
        return Driver(problem=said)
    gpus = []
    for line in rows.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        # A driver that does not know a column prints one line of complaint instead.
        if len(cells) == 4:
            gpus.append(Gpu(cells[0], version_of(cells[2]), cells[3]))
    return Driver(driver[1], version_of(cuda[1]) if cuda else None, tuple(gpus))


def find_libraries(
    path: str | None = None, packages: Iterable[str | Path] | None = None
) -> list[Library]:
    """CUDA's runtime and cuDNN where the loader looks.

    That is ``LD_LIBRARY_PATH``, then NVIDIA's wheels, then what ``ldconfig`` knows.

    Args:
        path: In place of the variable's value.
        packages: In place of the folders that packages are installed in.
    """
    listed = os.environ.get("LD_LIBRARY_PATH", "") if path is None else path
    roots = site.getsitepackages() if packages is None else packages
    wheels = [folder for root in roots for folder in sorted(Path(root).glob("nvidia/*/lib"))]
    found = []
    for text in filter(None, listed.split(":")):
        found += list(_in_folder(Path(text), first=True))
    for folder in (*wheels, *_system_folders()):
        found += list(_in_folder(folder, first=False))
    return found


def _system_folders() -> list[Path]:
    """Those of the libraries in question that the loader's cache names."""
    program = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if program is None:
        return []
    done = subprocess.run([program, "-p"], capture_output=True, text=True, check=False)  # noqa: S603
    named = re.findall(rf"(?:{'|'.join(LIBRARIES)})\.so\S* .*=> (\S+)", done.stdout)
    return sorted({Path(text).parent for text in named})


def _in_folder(folder: Path, *, first: bool) -> Iterator[Library]:
    for name in LIBRARIES:
        files = sorted(folder.glob(f"{name}.so.*")) if folder.is_dir() else []
        if files:
            # libcudnn.so.9 is mostly a link to libcudnn.so.9.3.0; the longest name tells most.
            versions = [version_of(file.name.partition(".so.")[2]) for file in files]
            known = max((v for v in versions if v is not None), key=len, default=())
            yield Library(name, known if first else _of_wheel(name, known), folder, first)


def _of_wheel(name: str, known: Version) -> Version:
    """The version in the wheel's metadata, as the file in it tells the first number alone."""
    for major in (13, 12, 11):
        try:
            told = version_of(metadata.version(WHEELS[name].format(major)))
        except metadata.PackageNotFoundError:
            continue
        if told is not None and told[: len(known)] == known:
            return told
    return known


def findings(
    build: Mapping[str, Any], driver: Driver | None, libraries: Sequence[Library]
) -> Iterator[Finding]:
    """What is there, and what of it will not do.

    Args:
        build: ``tf.sysconfig.get_build_info()``.
        driver: :func:`ask_driver`.
        libraries: :func:`find_libraries`.
    """
    if not build.get("is_cuda_build"):
        names = ", ".join(gpu.name for gpu in driver.gpus) if driver else ""
        if names:
            hint = "install requirements-gpu.txt in place of requirements.txt"
            yield "hint", f"{names} is here, and TensorFlow is a CPU build; {hint}"
        return
    wanted = {key: version_of(str(build.get(key, ""))) for key in LIBRARIES.values()}
    cuda, cudnn = (dotted(wanted[key]) for key in LIBRARIES.values())
    yield "good", f"TensorFlow was built with CUDA {cuda} and cuDNN {cudnn}"
    yield from _of_driver(driver, wanted["cuda_version"])
    if driver is not None and driver.gpus:
        for name, key in LIBRARIES.items():
            yield from _of_library(name, wanted[key], [x for x in libraries if x.name == name])
        for gpu in driver.gpus:
            yield from _of_gpu(gpu, _capabilities(build))


def _of_driver(driver: Driver | None, cuda: Version | None) -> Iterator[Finding]:
    if driver is None:
        yield "hint", "no nvidia-smi on the PATH: this machine has no NVIDIA driver, so no GPU"
        return
    if driver.problem is not None:
        hint = next((h for said, h in TROUBLES.items() if said in driver.problem), "")
        yield "fault", f"nvidia-smi: {driver.problem}{'; ' if hint else ''}{hint}"
        return
    said = f"driver {driver.version}, which runs CUDA up to {dotted(driver.cuda)}"
    oldest = OLDEST_DRIVER.get(cuda[0]) if cuda else None
    version = version_of(driver.version or "")
    if version and oldest and version < oldest:
        yield "fault", f"{said}: CUDA {dotted(cuda)} needs driver {dotted(oldest)} or newer"
    elif driver.cuda and cuda and driver.cuda < cuda[:2]:
        yield (
            "hint",
            f"{said}: TensorFlow's kernels run, what is compiled for CUDA {dotted(cuda)} at run"
            " time (XLA) may not; a newer driver is better",
        )
    else:
        yield "good", said
    if not driver.gpus:
        yield "fault", f"nvidia-smi: No devices were found; {TROUBLES['No devices were found']}"


def _of_library(name: str, wanted: Version | None, found: list[Library]) -> Iterator[Finding]:
    if wanted is None:
        return
    fitting = [one for one in found if one.version[:1] == wanted[:1]]
    if not fitting:
        there = ", ".join(sorted({dotted(one.version) for one in found}))
        others = f" (there is {there})" if found else ""
        yield "fault", f"no {name}.so.{wanted[0]}{others}; {INSTALL}"
        return
    taken = fitting[0]
    # A build runs with its own minor release of cuDNN or a newer one.
    if len(taken.version) > 1 and taken.version[:2] < wanted[:2]:
        way = "take its folder off LD_LIBRARY_PATH" if taken.first else INSTALL
        yield "fault", f"{name} {dotted(taken.version)} in {taken.folder} is too old; {way}"
    else:
        yield "good", f"{name} {dotted(taken.version)} in {taken.folder}"


def _of_gpu(gpu: Gpu, built: list[Version]) -> Iterator[Finding]:
    if gpu.capability is None:
        return
    said = f"{gpu.name}, compute capability {dotted(gpu.capability)}"
    if built and gpu.capability < min(built):
        yield "fault", f"{said}: this TensorFlow begins at {dotted(min(built))}"
    elif gpu.capability >= BLACKWELL and (not built or max(built) < BLACKWELL):
        yield (
            "hint",
            f"{said}: this TensorFlow has no code for Blackwell. The driver compiles every kernel"
            " at its first use, which takes minutes or ends in CUDA_ERROR_INVALID_PTX, and XLA ends"
            " the program: leave jit_compile false, or take NVIDIA's container or a newer build",
        )
    else:
        yield "good", f"{said}, {gpu.memory}"


def _capabilities(build: Mapping[str, Any]) -> list[Version]:
    """Those that code was compiled for: ``sm_80`` is 8.0, ``compute_90`` code for 9.0 and on."""
    named = [str(one).partition("_")[2] for one in build.get("cuda_compute_capabilities", ())]
    return [(int(digits[:-1]), int(digits[-1])) for digits in named if digits.isdigit()]


def version_of(text: str) -> Version | None:
    """The numbers of ``12.5.1``; None where it has none (``64_112`` counts as none, too)."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)*)\s*", text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def dotted(version: Version | None) -> str:
    """``12.5.1``; a question mark for None."""
    return "?" if version is None else ".".join(map(str, version))
