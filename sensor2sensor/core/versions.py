"""Versions of this project and of the libraries results depend on."""

from __future__ import annotations

import platform
from functools import cache

__version__ = "0.1.0"

LIBRARIES = (
    "tensorflow", "tensorflow-cpu", "keras", "numpy", "scipy", "rasterio", "xarray", "h5netcdf",
    "h5py", "pykdtree", "shapely", "pyproj", "pyogrio", "pydantic", "pandas", "matplotlib",
)  # fmt: skip


def library_versions() -> dict[str, str]:
    """Installed versions by distribution name (absent ones left out), with Python's own."""
    return dict(_installed())


@cache
def _installed() -> dict[str, str]:
    from importlib import metadata  # tenths of a second, and the package reads its version here

    found = {"sensor2sensor": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
