"""What is said of a data set that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.config.places import dataset_fault


@pytest.mark.parametrize(
    ("asked", "size", "fault"),
    [
        ("s2vx2", 256, None),
        ("s2vx2", 128, ("tilesize", "'s2vx2' has tile sizes 256")),
        # Of names that look alike pairs for a registration are the likeliest, and never meant.
        ("s2v1x2_p", 256, ("dataset", "nearest: 's2vx2'")),
        ("s2vx2pairs", 128, ("dataset", "nearest: 's2vx2_pairs'")),
        ("../s2vx2", 256, ("dataset", "is a path")),
    ],
)
def test_the_nearest_data_set_and_its_sizes_are_named(
    tmp_path: Path, asked: str, size: int, fault: tuple[str, str] | None
) -> None:
    for name, tilesize in (("s2vx2", 256), ("s2vx2_pairs", 128)):
        folder = tmp_path / name / str(tilesize)
        folder.mkdir(parents=True)
        (folder / "dataset.json").write_text("{}")
    found = dataset_fault(tmp_path, asked, size)
    assert (found is None) == (fault is None)
    if found is not None and fault is not None:
        assert found[0] == fault[0] and fault[1] in found[1]
