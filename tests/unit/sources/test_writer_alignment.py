"""The writer looks whether inputs lie on their targets, and says so where they do not."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor.core.errors import DatasetError
from sensor2sensor.core.seeds import Purpose, rng
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.dataset.records import TileRecord, dense_record
from sensor2sensor.geo.shift import Shift
from sensor2sensor.sources.source import Item, folder_of
from sensor2sensor.sources.writer.alignment import ALIGNMENT_FILE, known, lines_of, look
from sensor2sensor.sources.writer.options import WriteOptions
from sensor2sensor.sources.writer.run import write
from tests.fakes_dataset import scene
from tests.fakes_source import ToySource

TILE, JITTER = 96, 12
HEAD = "toy: shift between input and target, looked for in 24 samples:"


class CroppedSource(ToySource):
    """Photos and their negatives, cut from larger ones with a draw for both or for each."""

    def __init__(
        self,
        *,
        together: bool,
        factor: int = 1,
        flat: bool = False,
        moved: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(tile_px=TILE, factor=factor)
        self.together, self.flat, self.moved = together, flat, moved

    def read(self, item: Item) -> tuple[TileRecord, ...]:
        draw = rng(3, Purpose.FAKES, item.name)
        photo = np.rint(scene(draw, TILE + JITTER).clip(0, 0.6) * 400).astype(np.float32)
        places = draw.integers(0, JITTER + 1, (2, 2))
        if self.together:
            # What is cut from further up and left lies further down and right in the picture.
            places[0] = places[0].clip(4, JITTER - 4)
            places[1] = places[0] - self.moved
        target, other = (photo[y : y + TILE, x : x + TILE] for y, x in places)
        n = TILE // self.factor
        coarse = 255.0 - np.rint(other.reshape(n, self.factor, n, self.factor, 3).mean((1, 3)))
        coarse[:] = 7.0 if self.flat else coarse
        shade = np.zeros((TILE, TILE), np.uint8)
        return (dense_record(item.name, target, coarse, {"shade": shade}),)


def _said(source: ToySource, root: Path, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    assert write(source, root, WriteOptions(**how)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("factor", [1, 2])
def test_pairs_cut_together_stay_quiet(
    factor: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = CroppedSource(together=True, factor=factor)
    said = _said(source, tmp_path, capsys)
    assert HEAD in said and "median 0.0 px" in said and "warning" not in said


def test_pairs_cut_independently_are_told_by_every_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = CroppedSource(together=False)
    said = _said(source, tmp_path, capsys)
    line = next(line for line in said.splitlines() if "warning" in line)
    assert "toy: warning: inputs do not lie on their targets (median " in line
    folder = folder_of(tmp_path, source.drafts[0])
    found = known(folder)
    assert len(found) == 24
    # To the last digit: else a repeat, which reads the table, may round a median otherwise.
    assert look(folder, load_contract(folder), read_split(folder)) == found
    # Against what was drawn: the table tells each sample's own shift.
    for name, shift in found.items():
        draw = rng(3, Purpose.FAKES, name)
        scene(draw, TILE + JITTER)
        target, other = draw.integers(0, JITTER + 1, (2, 2))
        if shift is not None:
            assert (shift.rows, shift.columns) == pytest.approx(tuple(target - other), abs=1.0)
    for how in ({}, {"dry_run": True}):
        assert line in _said(source, tmp_path, capsys, **how)
    # A repeat that writes one record anew and reuses the others looks at all of them.
    next((folder / "train").glob("*.tfrecord")).unlink()
    assert line in (again := _said(source, tmp_path, capsys)) and "23 already there" in again
    assert line not in _said(CroppedSource(together=True), tmp_path, capsys, force=True)


def test_who_lies_where_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = CroppedSource(together=True, factor=2, moved=(-2, 4))
    told = _said(source, tmp_path, capsys)
    found = re.findall(
        "in common the input lies (.*) px down and (.*) px to the right of its", told
    )
    assert len(found) == 2  # the line and its warning
    assert tuple(map(float, found[0])) == pytest.approx((-2, 4), abs=0.3)


def test_without_structure_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = CroppedSource(together=True, flat=True)
    said = _said(source, tmp_path, capsys)
    assert f"{HEAD} 0 show structure in both, too few to tell" in said
    table = folder_of(tmp_path, source.drafts[0]) / ALIGNMENT_FILE
    assert table.read_text("utf-8").splitlines()[1].endswith(",,,")
    table.write_text("name\nx\n", "utf-8")
    with pytest.raises(DatasetError, match="cannot be read"):
        known(table.parent)
    shutil.rmtree(table.parent)


def test_inputs_too_small_to_compare_leave_no_table(tmp_path: Path) -> None:
    source = ToySource()
    assert write(source, tmp_path, WriteOptions()) == 0
    assert not (folder_of(tmp_path, source.drafts[0]) / ALIGNMENT_FILE).exists()


@pytest.mark.parametrize(
    ("common", "spread", "warns"),
    [
        (0.0, 1.0, False),  # drawn one by one: long in the median, without a direction
        (1.3, 0.2, True),  # a small shift that all have
        (0.0, 1.6, True),  # crops drawn independently, by few pixels
    ],
)
def test_what_shifts_have_in_common_warns_sooner_than_scatter(
    common: float, spread: float, warns: bool
) -> None:
    draw = np.random.default_rng(7).normal(0.0, spread, (200, 2))
    shifts = {str(n): Shift(common + down, right, 2.0) for n, (down, right) in enumerate(draw)}
    lengths = [np.hypot(shift.rows, shift.columns) for shift in shifts.values()]
    told, *warnings = lines_of(shifts)
    assert np.median(lengths) > 1.0  # in all three
    assert bool(warnings) is warns
    assert f"{np.median(draw[:, 0]) + common:+.1f} px down" in told


def test_nothing_in_common_has_no_sign_of_its_own() -> None:
    told = lines_of({str(n): Shift(-0.04, 0.04, 2.0) for n in range(30)})[0]
    assert "+0.0 px down and +0.0 px to the right" in told
