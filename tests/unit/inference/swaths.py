"""A tiny archive cut by step 40, and the form of a model that was trained on its tiles."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.config.environment import load_environment
from sensor2sensor.dataset.contract import DatasetContract
from sensor2sensor.dataset.form import Form
from sensor2sensor.preprocess.records.forms import drafts_for
from sensor2sensor.preprocess.records.inputs import TileSet, read_tiles
from sensor2sensor.preprocess.records.options import DatasetOptions
from tests.unit.preprocess import tifs_archive

TILE = 64
_OF_A_FORM = ("name", "kind", "tile_px", "resolution_m", "factor", "input", "target")


def cut(root: Path) -> tuple[TileSet, DatasetContract, Form]:
    """Tiles of both scenes, one of whose products are zips; their contract and form."""
    made = tifs_archive.archive(root)
    tifs_archive.select(made, *tifs_archive.scenes(made))
    assert tifs_archive.step40(made, "--quantity", "2", tile=TILE) == 0
    tiles = read_tiles(load_environment(made / "environment.json"), tifs_archive.INVENTORY, TILE)
    options = DatasetOptions(
        tifs_archive.INVENTORY, "toy", TILE, 0.8, 0.2, "block", (6,), None, 64, 24, "mean", 0.3, 0
    )
    contract = drafts_for(options, tiles)[0]
    return tiles, contract, Form(**{key: getattr(contract, key) for key in _OF_A_FORM})
