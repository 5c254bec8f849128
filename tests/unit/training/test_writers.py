"""Logs, sample sheets and pictures of the networks."""

from __future__ import annotations

import io
import json
import math
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.dataset.display import View
from sensor2sensor.training import pictures
from sensor2sensor.training.samples import SampleRow, sheet
from sensor2sensor.training.watch import LossWatch
from sensor2sensor.training.writers import JSONL, Writers, read_log
from tests.unit.training.tiny import fresh


def test_rows_and_tensorboard_hold_what_was_logged(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with Writers(tmp_path, start_step=0) as writers:
        writers.scalars(20, "train", {"gen": 0.5}, steps_per_s=3.0)
        writers.scalars(40, "val", {"psnr": math.inf, "l1": 0.25})
    rows = read_log(tmp_path / JSONL)
    assert rows[0] == {"step": 20, "kind": "train", "steps_per_s": 3.0, "gen": 0.5}
    assert rows[1] == {"step": 40, "kind": "val", "psnr": None, "l1": 0.25}
    board = EventAccumulator(str(tmp_path)).Reload()
    assert set(board.Tags()["tensors"]) == {"train/gen", "val/psnr", "val/l1"}


def test_a_resumed_log_drops_steps_that_are_done_again(tmp_path):
    with Writers(tmp_path, start_step=0) as writers:
        for step in (20, 40, 60):
            writers.scalars(step, "train", {"gen": 1.0})
    with (tmp_path / JSONL).open("a") as stream:
        stream.write('{"step": 80, "ki')  # cut by a kill
    with Writers(tmp_path, start_step=40) as writers:
        writers.scalars(60, "train", {"gen": 2.0})
    assert [(row["step"], row["gen"]) for row in read_log(tmp_path / JSONL)] == [
        (20, 1.0), (40, 1.0), (60, 2.0),
    ]  # fmt: skip


def test_a_row_that_lost_its_end_is_not_joined_by_the_next(tmp_path):
    with Writers(tmp_path, start_step=0) as writers:
        writers.scalars(20, "train", {"gen": 1.0})
    path = tmp_path / JSONL
    path.write_text(path.read_text().rstrip("\n"))
    with Writers(tmp_path, start_step=20) as writers:
        writers.scalars(40, "train", {"gen": 2.0})
    assert [row["step"] for row in read_log(path)] == [20, 40]


def test_a_full_disk_is_one_line(tmp_path):
    writers = Writers(tmp_path, start_step=0)
    writers.log._stream.close()
    writers.log._stream = open("/dev/full", "a")  # noqa: SIM115 - the kernel's own "No space left on device"
    with pytest.raises(TrainingError, match=r"metrics\.jsonl: cannot write: No space left"):
        writers.scalars(1, "train", {"gen": 1.0})


def test_the_watch_reads_nothing_until_asked():
    class Loss:
        read = 0

        def __float__(self):
            Loss.read += 1
            return 2.0

    watch = LossWatch("a", lambda numbers: [])
    for step in range(5):
        watch.add(step, {"gen": Loss()}, [])
    assert Loss.read == 0
    assert watch.collect() == {"gen": 2.0}
    assert Loss.read == 5
    assert watch.collect() == {}


def example_rows(count=2, size=64):
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:size, 0:size] / size
    truth = np.stack([0.2 + 0.5 * x, 0.2 + 0.5 * y, 0.6 - 0.4 * x * y], axis=-1)
    truth = truth.astype(np.float32)
    coarse = truth.reshape(size // 8, 8, size // 8, 8, 3).mean((1, 3)).repeat(8, 0).repeat(8, 1)
    noise = draw.normal(0, 0.02, truth.shape).astype(np.float32)
    return [SampleRow(f"00012_{i}x0", coarse, truth + noise, truth) for i in range(count)]


def test_a_sheet_shows_truth_in_its_place_and_a_perfect_row_without_error():
    shown = View((2, 1, 0), np.zeros(3, np.float32), np.ones(3, np.float32), "B04, B03, B02")
    rows = example_rows()
    rows[1] = SampleRow("perfect", rows[1].input, rows[1].truth, rows[1].truth)
    png = sheet(rows, shown, shown, title="a/b, step 3", unit="reflectance")
    # So a resumed run that shows the same rows leaves the same files.
    assert png == sheet(rows, shown, shown, title="a/b, step 3", unit="reflectance")
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    height, width, _ = image.shape
    assert width > 3 * height / 2
    # The colour map's darkest colour, of the error 0, fills one panel: the perfect row's.
    dark = np.all(image == (0, 0, 3), axis=-1)
    assert dark[height // 2 :].sum() > 5000
    assert dark[: height // 2].sum() < 500


def test_networks_are_drawn_where_graphviz_is(tmp_path, monkeypatch):
    if shutil.which("dot") is None:
        assert not os.environ.get("CI"), "Graphviz is not installed"
        pytest.skip("Graphviz is not installed")
    said = []
    written = pictures.write_pictures(fresh(), tmp_path, said.append)
    assert [path.name for path in written] == ["generator.png", "discriminator.png"]
    assert Image.open(written[0]).width > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "discriminator.png", "generator.png",
    ]  # fmt: skip
    assert said == []
    # A deep one is drawn coarser: at full size it has hundreds of millions of pixels.
    monkeypatch.setattr(pictures, "MANY_LAYERS", 0)
    (coarse, _) = pictures.write_pictures(fresh(), tmp_path / "deep", said.append)
    assert Image.open(coarse).width < 0.5 * Image.open(written[0]).width


def test_networks_are_described_in_text_where_it_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = []
    written = pictures.write_pictures(fresh(), tmp_path, said.append)
    assert said == [pictures.HINT]
    assert "Total params" in written[0].read_text()
    assert json.dumps(written[1].name) == '"discriminator.txt"'
