"""What several tests of step 40 start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.preprocess.tifs_archive import archive, scenes, select


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """The archive of step 40 with a selection of both scenes, whatever their ids."""
    made = archive(tmp_path / "a")
    select(made, *scenes(made))
    return made
