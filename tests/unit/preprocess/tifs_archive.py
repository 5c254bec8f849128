"""A tiny summer archive for step 40: two scenes, two passes, made once a process."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.inventory.table import read_inventory
from sensor2sensor.preprocess.tiles import run as tifs
from tests.fakes import World, make_s2, make_s3

BANDS = ("B02", "B03", "B04")
CENTRE = (-80.97, 72.987)
FIRST = datetime(2022, 7, 14, 17, 19, 11, tzinfo=UTC)
SECOND = datetime(2022, 7, 20, 17, 9, 11, tzinfo=UTC)
INVENTORY = "inv_T17XNA_3h"


def scene(folder: Path, sensing: datetime = FIRST, **options) -> Path:
    given = {"size_px": 384, "bands": BANDS, "resolutions": (10,), "quality_masks": False}
    return make_s2(folder, world=World(0), sensing=sensing, **{**given, **options})


def overpass(folder: Path, start: datetime, **options) -> Path:
    size = {"rows": 33, "columns": 33, "centre_lonlat": CENTRE}
    return make_s3(folder, world=World(0), start=start, **{**size, **options})


@lru_cache(maxsize=1)
def _built() -> Path:
    root = Path(tempfile.mkdtemp(prefix="step40-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    scene(root / "s2", FIRST, cloud=0.0)
    scene(root / "s2", SECOND, cloud=0.0, zip=True)
    overpass(root / "s3" / "2022" / "07", FIRST + timedelta(minutes=50), cloud=0.0)
    overpass(root / "s3" / "2022" / "07", FIRST + timedelta(minutes=20), cloud=0.0, platform="S3B")
    overpass(root / "s3" / "2022" / "07", SECOND - timedelta(minutes=30), cloud=0.0, zip=True)
    (root / "environment.json").write_text(
        json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"})
    )
    arguments = ["--environment", str(root / "environment.json"), "--tile", "T17XNA"]
    assert inventory.main([*arguments, "--timediff", "3"]) == 0
    return root


def archive(root: Path) -> Path:
    """A copy with its inventory; the archive's own files keep their times."""
    shutil.copytree(_built(), root, dirs_exist_ok=True)
    return root


def select(root: Path, *scenes: int, name: str = "sel", **keys) -> str:
    """Write a selection and return its name."""
    content = {"inventory": INVENTORY, "s2_indices": list(scenes), **keys}
    (root / "data" / "_inventory" / f"{name}.json").write_text(json.dumps(content))
    return name


def scenes(root: Path) -> list[int]:
    """Ids of the scenes of the archive's inventory."""
    return list(read_inventory(load_environment(root / "environment.json"), INVENTORY).scenes())


def step40(root: Path, *arguments: str, selection: str = "sel", tile: int = 64) -> int:
    """Run step 40 with small tiles."""
    common = ["--environment", str(root / "environment.json"), "--selection", selection]
    return tifs.main([*common, "--tilesize", str(tile), "--margin", "12", *arguments])


def folder_of(root: Path, tile: int = 64, name: str = INVENTORY) -> Path:
    return root / "data" / "_tif" / name / str(tile)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(folder: Path) -> list[dict[str, str]]:
    import csv

    with (folder / "tiles.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))
