"""Pictures, sheets and galleries that cannot be made cost a line, never a run."""

from __future__ import annotations

import json
import logging
import os
from types import SimpleNamespace

import pytest

import train
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.decoration import decoration
from sensor2sensor.training.checkpoints import checkpoint_steps
from sensor2sensor.training.pictures import write_pictures
from tests.fakes_dataset import make_dataset

# Draws what is tiny, as the probe whether Graphviz works, and aborts on everything else.
DOT = """#!/bin/sh
for last; do :; done
[ "$(wc -c < "$last")" -lt 100 ] && exit 0
printf '\\211PNG half a picture'
kill -ABRT $$
"""
EXPERIMENT = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 2, "batch_size": 2,
    "params": {"width": 0.07},
}  # fmt: skip


def test_a_failure_is_a_line_and_the_traceback_is_for_debugging(caplog):
    caplog.set_level(logging.DEBUG, logger="sensor2sensor")
    lines = []
    with decoration("the picture", lines.append):
        raise ValueError("no font\nat all")
    assert lines == ["the picture is left out (ValueError: no font)"]
    assert "Traceback" in caplog.text
    with pytest.raises(KeyboardInterrupt), decoration("the picture", lines.append):
        raise KeyboardInterrupt


def test_a_network_that_graphviz_cannot_draw_is_described_in_text(tmp_path, monkeypatch, capfd):
    import keras

    dot = tmp_path / "bin" / "dot"
    dot.parent.mkdir()
    dot.write_text(DOT)
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{dot.parent}{os.pathsep}{os.environ['PATH']}")
    network = keras.Sequential([keras.Input([8]), *(keras.layers.Dense(8) for _ in range(9))])
    lines = []
    model = SimpleNamespace(generator=network, discriminator=network)
    written = write_pictures(model, tmp_path / "model", lines.append)
    assert [path.name for path in written] == ["generator.txt", "discriminator.txt"]
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == sorted(p.name for p in written)
    assert [line.split(" is left out")[0] for line in lines] == [
        "the picture of the generator", "the picture of the discriminator",
    ]  # fmt: skip
    assert all("\n" not in line for line in lines)
    # What was drawn until then is no message: it filled the terminal when Ctrl-C hit the drawing.
    assert "half a picture" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_run_ends_well_without_any_of_them(tmp_path, caplog):
    make_dataset(tmp_path / "data", train=2, val=1, test=1)
    (tmp_path / "environment.json").write_text(json.dumps({"data_root": "data"}))
    folder = tmp_path / "experiments" / "a"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(json.dumps(EXPERIMENT))
    evaluation = tmp_path / "experiments" / "_evaluation"
    evaluation.mkdir()
    for place in (folder / "samples", folder / "model", evaluation / "a_0715-0930_gallery"):
        place.write_text("a file where a folder has to be")
    call = ["--environment", str(tmp_path / "environment.json"), "--exp", "a"]
    assert main_guard(train.main, train.arguments(), [*call, "--timestamp", "0715-0930"]) == 0
    assert checkpoint_steps(folder / "ckpt" / "0715-0930") == [2]
    assert json.loads((evaluation / "a_0715-0930.json").read_text())["gallery"] == []
    assert "the sample sheet of step 2 is left out" in caplog.text
    assert "the gallery is left out" in caplog.text
