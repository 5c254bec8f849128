"""``doctor``: what this installation can do, and what is wrong with it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sensor2sensor.config.environment import CHECKOUT, Environment, load_environment, unused_root
from sensor2sensor.core import cli, cuda, geodata
from sensor2sensor.core.errors import MissingExtraError, Sensor2SensorError
from sensor2sensor.core.notices import EXTRA, load_tensorflow
from sensor2sensor.core.versions import library_versions
from sensor2sensor.products import snap

ROOTS = ("data_root", "experiment_root", "s2_root", "s3_root")
DRIVERS = ("JP2OpenJPEG", "GTiff")
OLDEST, NEWEST = (3, 11), (3, 13)
LITTLE_DISK_GB = 10.0
CENTRAL_M = 500000.0  # false easting of every UTM zone


class _Report:
    """Prints findings and remembers whether one of them is a fault."""

    def __init__(self) -> None:
        self.faults = 0

    def section(self, title: str) -> None:
        sys.stdout.write(f"\n{title}\n")

    def good(self, text: str) -> None:
        sys.stdout.write(f"  ok    {text}\n")

    def hint(self, text: str) -> None:
        sys.stdout.write(f"  note  {text}\n")

    def fault(self, text: str) -> None:
        self.faults += 1
        sys.stdout.write(f"  FAULT {text}\n")


DOC = """Say what this installation can do and what is wrong with it: versions, GDAL drivers,
coordinate systems, tools, devices, roots and free disk.

  s2s doctor
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Examine the installation; returns 1 if anything is wrong."""
    return cli.main_guard(_from_arguments, cli.parser(DOC, prog="s2s doctor"), argv)


def _from_arguments(args: argparse.Namespace) -> int:
    return examine(args.environment)


def examine(environment_file: str | None) -> int:
    """Print versions, drivers, tools, devices and roots; returns 1 if anything is wrong."""
    report = _Report()
    _versions(report)
    _drivers(report)
    _coordinates(report)
    _tools(report)
    _devices(report)
    _roots(report, environment_file)
    sys.stdout.write(f"\n{report.faults} fault(s)\n")
    return 1 if report.faults else 0


def _versions(report: _Report) -> None:
    report.section("versions")
    found = library_versions()
    report.good(", ".join(f"{name} {version}" for name, version in found.items()))
    if not {"tensorflow", "tensorflow-cpu"} & set(found):
        _without_tensorflow(report)
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        report.fault(f"Python {_dotted(OLDEST)} to {_dotted(NEWEST)} are supported")


def _without_tensorflow(report: _Report) -> None:
    """A fault in a checkout, which trains; a choice where the library alone is installed."""
    if CHECKOUT is not None:
        report.fault(f"TensorFlow is not installed; {EXTRA}")
    else:
        report.hint(f"no TensorFlow: no records, metrics and training; {EXTRA}")


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def _drivers(report: _Report) -> None:
    report.section("GDAL drivers")
    from rasterio.drivers import raster_driver_extensions

    available = geodata.drivers()
    for name in DRIVERS:
        if name in available:
            report.good(name)
        else:
            report.fault(f"{name} is missing: {geodata.driver_hint()}")
    if "jp2" not in raster_driver_extensions():
        report.hint("no driver writes .jp2")


def _coordinates(report: _Report) -> None:
    """Whether each library that has a PROJ of its own knows a UTM zone."""
    report.section("coordinate systems")
    for line in geodata.set_aside():
        report.hint(f"{line}; unset it to be rid of this note")
    for library, asked in {"rasterio": _ask_rasterio, "pyproj": _ask_pyproj}.items():
        try:
            east_m, _ = asked()
        except Exception as error:  # of types that these libraries do not share
            cause = geodata.suspicion(error) or "; install it anew"
            report.fault(f"{library} knows no UTM zone ({error}){cause}")
            continue
        if abs(east_m - CENTRAL_M) > 1e-3:
            report.fault(f"{library} puts the central meridian at {east_m} m, not {CENTRAL_M} m")
        else:
            report.good(library)


def _ask_rasterio() -> tuple[float, float]:
    from rasterio.warp import transform

    x_m, y_m = transform("EPSG:4326", "EPSG:32617", [-81.0], [73.0])
    return x_m[0], y_m[0]


def _ask_pyproj() -> tuple[float, float]:
    from sensor2sensor.geo.projections import from_lonlat

    x_m, y_m = from_lonlat(32617).transform(-81.0, 73.0)
    return float(x_m), float(y_m)


def _tools(report: _Report) -> None:
    report.section("tools")
    if shutil.which("dot"):
        report.good("Graphviz (pictures of the networks)")
    else:
        report.hint("no Graphviz: model/ gets a text summary instead of a picture")
    if (found := snap.missing()) is None:
        report.good("SNAP (--backend snap of step 40; found, not started)")
    else:
        what, way = found
        report.hint(f"no SNAP, for --backend snap of step 40 alone: {what}; {way}")


def _devices(report: _Report) -> None:
    report.section("devices")
    report.good(f"CPU, {os.cpu_count()} cores")
    try:
        tf = load_tensorflow()
    except MissingExtraError:  # told of among the versions
        return
    for kind, text in cuda.findings(
        tf.sysconfig.get_build_info(), cuda.ask_driver(), cuda.find_libraries()
    ):
        getattr(report, kind)(text)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        _try_gpu(report, gpu.name)
    if not gpus:
        why = (
            "built with CUDA, --debug shows what it says"
            if tf.test.is_built_with_cuda()
            else "a CPU build"
        )
        report.hint(f"no GPU found (TensorFlow is {why}); for one: requirements-gpu.txt")


def _try_gpu(report: _Report, name: str) -> None:
    import tensorflow as tf

    try:
        with tf.device(name.replace("physical_device:", "")):
            tf.nn.conv2d(tf.ones([1, 8, 8, 1]), tf.ones([3, 3, 1, 1]), 1, "SAME").numpy()
        report.good(f"{name} ran a convolution")
    except tf.errors.OpError as error:
        report.fault(f"{name} cannot run a convolution: {error.message.splitlines()[0]}")


def _roots(report: _Report, environment_file: str | None) -> None:
    report.section("environment")
    try:
        environment = load_environment(environment_file)
    except Sensor2SensorError as error:
        report.fault(str(error))
        return
    report.good(str(environment.path))
    if (unused := unused_root(environment)) is not None:
        report.hint(unused)
    for name in ROOTS:
        _root(report, environment, name)


def _root(report: _Report, environment: Environment, name: str) -> None:
    folder: Path = getattr(environment, name)
    if not folder.is_dir():
        report.hint(f"{name}: {folder} does not exist yet")
        return
    writable = name in ("data_root", "experiment_root")
    for fault in _access(folder, writable):
        report.fault(f"{name}: {folder} {fault}")
    free_gb = shutil.disk_usage(folder).free / 1e9
    report.good(f"{name}: {folder}, {free_gb:.0f} GB free")
    if writable and free_gb < LITTLE_DISK_GB:
        report.fault(f"{name}: less than {LITTLE_DISK_GB:.0f} GB free")


def _access(folder: Path, writable: bool) -> Iterator[str]:
    if not os.access(folder, os.R_OK | os.X_OK):
        yield "cannot be read"
    if writable and not os.access(folder, os.W_OK):
        yield "cannot be written"
