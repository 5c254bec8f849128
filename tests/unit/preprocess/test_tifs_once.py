"""Step 40 does once what serves all tiles of a scene: reading Sentinel-3, indexing it, the log."""

from __future__ import annotations

from collections import Counter

import pytest

from sensor2sensor.core import files
from sensor2sensor.geo.collocation import SwathIndex, SwathSteps
from sensor2sensor.preprocess.tiles.folder import TileFolder
from sensor2sensor.products.s3_reader import S3Reader
from tests.unit.preprocess.tifs_archive import archive, folder_of, rows_of, scenes, select, step40


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """How often what is costly was called."""
    found: Counter[str] = Counter()

    def count(owner, name: str) -> None:
        real = getattr(owner, name)

        def counting(*given, **named):
            found[f"{owner.__name__}.{name}"] += 1
            return real(*given, **named)

        monkeypatch.setattr(owner, name, counting)

    count(S3Reader, "radiances")
    count(S3Reader, "geolocation")
    count(SwathIndex, "__init__")
    count(SwathSteps, "__init__")
    count(TileFolder, "write_log")
    return found


@pytest.mark.parametrize("grid", [(), ("--grid",)])
def test_many_tiles_read_and_index_sentinel_3_once_and_list_themselves_in_few_logs(
    tmp_path, counted, grid
):
    root = archive(tmp_path)
    select(root, scenes(root)[0])
    assert step40(root, "--quantity", "40", "--no-verify", *grid, tile=32) == 0
    tiles = len(rows_of(folder_of(root, 32)))
    assert tiles >= 30
    once = ("S3Reader.radiances", "S3Reader.geolocation", "SwathIndex.__init__")
    assert {counted[name] for name in (*once, "SwathSteps.__init__")} == {1}
    assert counted["TileFolder.write_log"] <= 7  # the more tiles there are, the more come in one
    log = files.read_json(folder_of(root, 32) / "scenes" / f"{scenes(root)[0]:05d}.json")
    assert len(log["files"]) == 3 * tiles and all(log["files"].values())
