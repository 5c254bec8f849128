"""A tiny archive over the turn of a year, made once a process, and copies of it to work on."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core import files
from sensor2sensor.products.known import FOLDER
from tests.fakes import World, make_s2, make_s3

BANDS = ("B02", "B03", "B04")
TILE_CENTRE = (-80.97, 72.987)
# Two scenes; the first has two partners, one on either side of the year's end.
SCENES = (datetime(2022, 12, 31, 23, 40, tzinfo=UTC), datetime(2023, 1, 3, 17, 0, tzinfo=UTC))
PASSES = (
    ("2022/12", "S3A", datetime(2022, 12, 31, 22, 40, tzinfo=UTC)),
    ("2023/01", "S3B", datetime(2023, 1, 1, 1, 10, tzinfo=UTC)),
    (".", "S3A", datetime(2023, 1, 3, 16, 0, tzinfo=UTC)),
)


def scene(folder: Path, sensing: datetime, **options) -> Path:
    """A scene of three bands at 10 m."""
    given = {"size_px": 192, "bands": BANDS, "resolutions": (10,), "quality_masks": False}
    return make_s2(folder, world=World(0), sensing=sensing, **{**given, **options})


def overpass(folder: Path, platform: str, start: datetime, **options) -> Path:
    """A pass that covers the scenes."""
    size = {"rows": 33, "columns": 33, "centre_lonlat": TILE_CENTRE}
    return make_s3(folder, world=World(0), platform=platform, start=start, **{**size, **options})


@lru_cache(maxsize=1)
def _built() -> Path:
    root = Path(tempfile.mkdtemp(prefix="archive-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    scene(root / "s2", SCENES[0])
    scene(root / "s2", SCENES[1], zip=True, cloud=0.4)
    for folder, platform, start in PASSES:
        overpass(root / "s3" / folder, platform, start, zip=folder == "2023/01")
    return root


def fresh_copy(root: Path):
    """Copy the archive below `root`; returns the environment and the path of its file."""
    shutil.copytree(_built(), root, dirs_exist_ok=True)
    file = root / "environment.json"
    file.write_text('{"data_root": "data", "s2_root": "s2", "s3_root": "s3"}')
    return load_environment(file), str(file)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes.

    Without what steps 10 and 20 know of products: it is another after another way to the same end.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not (path.parent.name == FOLDER and path.suffix == ".jsonl")
    }


def killed(script: Path, *options: str, at_write: int) -> int:
    """Run a door in a process of its own that dies at its n-th write; returns its exit code."""
    environment = {**os.environ, files.CRASH_VARIABLE: str(at_write)}
    line = [sys.executable, str(script), *options]
    return subprocess.run(line, env=environment, capture_output=True, check=False).returncode
