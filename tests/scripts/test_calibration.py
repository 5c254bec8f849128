"""From the key ``calibration`` to lower and upper bands, through the doors a user calls."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

import calibrate
import evaluate
import export
import predict
import several
import train
from sensor2sensor import report
from sensor2sensor.__main__ import main as commands
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.calibration import divided
from sensor2sensor.dataset.ledger import read_split
from sensor2sensor.inference.door import main as predict_exported
from sensor2sensor.report.intervals import coverage_frame
from tests.fakes_dataset import make_dataset
from tests.scripts.test_evaluate import EDSR, call, evaluations, write_experiment

pytestmark = pytest.mark.slow

STAMP = "0101-0000"
ASKED = {**EDSR, "dataset": "alt4_toy", "input_upsampling": "nearest", "calibration": {}}
ASKED |= {"monitor": {"metric": "l1"}, "sample_val": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with half of val set aside, and the records that its training read."""
    from sensor2sensor.dataset import recordfile
    from sensor2sensor.pipeline import clipping, reader

    root = tmp_path_factory.mktemp("calibration [ü]")
    make_dataset(root / "data", name="alt4_toy", factor=4, train=4, val=20, test=3)
    (root / "environment.json").write_text("{}")
    write_experiment(root, "a/edsr", ASKED)
    read: set[str] = set()

    def noted(original):
        return lambda ref: read.add(ref.name) or original(ref)

    with pytest.MonkeyPatch.context() as patch:
        for module in (recordfile, clipping, reader):
            patch.setattr(module, "read_record", noted(recordfile.read_record))
        patch.setattr(several, "evaluate_run", lambda *_, **__: None)
        done = call(root, train, "--exp", "a/edsr", "--timestamp", STAMP)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "10 tiles of 10 blocks of val are set aside" in done.stdout
    return root, frozenset(read)


def run_of(root: Path) -> Run:
    return Run(root / "experiments" / "a" / "edsr", STAMP)


def test_a_whole_training_reads_no_block_that_is_set_aside(trained):
    root, read = trained
    parts = divided(read_split(root / "data" / "alt4_toy" / "64"), 0, 0.5)
    assert len(parts.calibrating) == 10 and not parts.aside & read
    assert len(parts.watched & read) == 3  # sample_val: it did look at val


def calibrated(root: Path, *words: str) -> int:
    environment = str(root / "environment.json")
    return commands(["calibrate", "--environment", environment, "--exp", "a/edsr", *words])


def test_the_evaluation_calibrates_and_tells_the_coverage(trained, capsys):
    root, _ = trained
    done = call(root, evaluate, "--exp", "a/edsr")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "90 % intervals (conformal, 10 blocks) on 3 test blocks, by band:" in done.stdout
    assert "nothing is promised for any single block" in done.stdout
    kept = json.loads((run_of(root).ckpt_dir / "ckpt-2.intervals.json").read_text())
    (mode,) = kept["modes"]
    assert mode["blocks"] == 10 and mode["calibrated"] and mode["draws"] == 1
    assert mode["members"][0]["step"] == 2 and mode["members"][0]["applied"]["dropout"] is False
    frame = coverage_frame(report.load(evaluations(root)).results)
    assert list(frame.band) == ["B02", "B03", "B04"] and (frame.test_blocks == 3).all()
    assert frame.coverage.between(0.3, 1).all() and (frame["shift"] == "").all()
    # Repeated by its own command they are the same, and --test tells the same coverage.
    assert calibrated(root, "--test") == 0
    assert json.loads((run_of(root).ckpt_dir / "ckpt-2.intervals.json").read_text()) == kept
    assert f"B02: {100 * frame.coverage[0]:.1f} % within" in capsys.readouterr().out


def test_predictions_have_bounds_from_the_run_and_from_its_export(trained, tmp_path):
    root, _ = trained
    if not (run_of(root).ckpt_dir / "ckpt-2.intervals.json").is_file():
        assert calibrated(root) == 0
    stack = tmp_path / "stack.tif"
    image = np.random.default_rng(0).uniform(0.05, 0.3, (3, 24, 28)).astype(np.float32)
    place = {"transform": rasterio.Affine(40, 0, 5e5, 0, -40, 6e6), "crs": "EPSG:32617"}
    with rasterio.open(
        stack, "w", driver="GTiff", count=3, dtype="float32", height=24, width=28, **place
    ) as out:
        out.write(image)
        out.descriptions = ("B02", "B03", "B04")
    made = ["--product", str(stack), "--input-m", "40", "--intervals"]
    done = call(root, predict, "--exp", "a/edsr", *made, "--out", str(tmp_path / "a.tif"))
    assert done.returncode == 0, done.stderr[-2000:]
    done = call(root, export, "--exp", "a/edsr", "--out", str(tmp_path / "x"))
    assert done.returncode == 0, done.stderr[-2000:]
    (model,) = (tmp_path / "x").glob("*.onnx")
    code = predict_exported(["--model", str(model), *made, "--out", str(tmp_path / "b.tif")])
    assert code == 0
    both = []
    for name in ("a.tif", "b.tif"):
        with rasterio.open(tmp_path / name) as source:
            both.append(source.read())
            assert source.descriptions[3:] == (
                "B02_lower", "B03_lower", "B04_lower", "B02_upper", "B03_upper", "B04_upper",
            )  # fmt: skip
            assert json.loads(source.tags()["S2S_INTERVALS"])["called"] == "conformal, 10 blocks"
    np.testing.assert_allclose(*both, atol=1e-5)
    width = both[0][6:] - both[0][3:6]
    assert (width > 0).all() and np.ptp(width, axis=(1, 2)).max() < 1e-5
    card = next((tmp_path / "x").glob("*.md")).read_text()
    assert "## Intervals" in card and "nothing is promised for any single block" in card


def test_what_was_not_set_aside_or_not_calibrated_so_is_refused(trained, tmp_path):
    root, _ = trained
    ckpt = run_of(root).ckpt_dir / "ckpt-2.intervals.json"
    kept = ckpt.read_bytes() if ckpt.is_file() else None
    ckpt.unlink(missing_ok=True)
    (tmp_path / "p.tif").write_bytes(b"")
    words = ["--product", str(tmp_path / "p.tif"), "--intervals", "--out", str(tmp_path / "o.tif")]
    members = predict.members_of(
        predict.arguments().parse_args(
            ["--exp", "a/edsr", "--environment", str(root / "environment.json"), *words]
        )
    )
    assert members[0][0].config.calibration is not None
    other = members[0][0].config.model_copy(update={"calibration": None})
    plain = members[0][0]._with(config=other)
    with pytest.raises(ConfigError, match="was trained on val as a whole"):
        calibrate.calibrate([(plain, members[0][1], 2)], None)
    assert calibrate.section_of((plain, members[0][1], 2), None, "test") is None
    assert calibrate.section_of(members[0], None, "val") is None
    if kept is not None:
        ckpt.write_bytes(kept)
