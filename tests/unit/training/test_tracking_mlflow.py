"""MLflow without a server: its own file is read back."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from sensor2sensor.config.environment import load_environment
from sensor2sensor.core.errors import MissingExtraError
from sensor2sensor.training import tracking
from sensor2sensor.training.tracking import NEEDED, PROJECT, refuse_untracked
from sensor2sensor.training.tracking_mlflow import IDENTITY, MlflowTracker, _flat
from sensor2sensor.training.writers import Writers

HERE = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED["mlflow"]),
    reason="MLflow is not installed (pip install -r requirements/mlflow.txt)",
)


def png():
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 10, 10)).save(stream, "png")
    return stream.getvalue()


def history(store):
    """Every run of a file: its facts and its points by metric."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store / 'mlflow.db'}")
    (known,) = [e for e in client.search_experiments() if e.name == PROJECT]
    runs = client.search_runs([known.experiment_id])
    points = {
        key: [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, key)]
        for run in runs
        for key in run.data.metrics
    }
    sheets = [f.path for f in client.list_artifacts(runs[0].info.run_id, "image")]
    return runs, points, sheets


@HERE
def test_a_killed_and_resumed_run_is_one_run_whose_steps_are_there_once(tmp_path, monkeypatch):
    for name in ("TRACKING_URI", "EXPERIMENT_NAME"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    logs, store = tmp_path / "logs", tmp_path / "_mlflow"
    logs.mkdir()

    def tracker():
        settings = {"batch_size": 1, "gen_loss": {"gen_l1": 50.0, "gen_gan": None}}
        return MlflowTracker(logs, store, "maps/t9 0715-0930", settings, "pix2pix-maps")

    killed = Writers(logs, start_step=0, sinks=[tracker()])
    killed.scalars(20, "train", {"gen_l1": 0.1}, steps_per_s=3.0)
    killed.scalars(40, "epoch", {"gen_gan": math.nan, "psnr": 14.0}, epoch=1)
    killed.scalars(60, "train", {"gen_l1": 0.3})
    killed.log.close()  # no more: the process is gone

    # A row that the file lacks, as where another process had not written it.
    log = (logs / "metrics.jsonl").read_text().splitlines(keepends=True)
    lacking = json.dumps({"step": 30, "kind": "train", "gen_l1": 0.2}) + "\n"
    (logs / "metrics.jsonl").write_text("".join([log[0], lacking, *log[1:]]))
    with Writers(logs, start_step=40, sinks=[tracker()]) as resumed:
        resumed.scalars(60, "train", {"gen_l1": 0.3})
        resumed.picture(60, "samples", png())
        resumed.scalars(80, "train", {"gen_l1": 0.4})

    (run,), points, sheets = history(store)
    assert sorted(points["train/gen_l1"]) == [(20, 0.1), (30, 0.2), (60, 0.3), (80, 0.4)]
    assert points["train/steps_per_s"] == [(20, 3.0)]
    assert points["epoch"] == [(40, 1.0)]
    assert points["epoch/psnr"] == [(40, 14.0)]
    assert [step for step, value in points["fake_d_real_class_loss"] if math.isnan(value)] == [40]
    assert sheets == ["image/step-0000060.png"]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"batch_size": "1", "gen_loss.gen_l1": "50.0"}
    assert (logs / IDENTITY).is_file()


@HERE
def test_trainings_that_begin_at_once_share_one_new_file(tmp_path, monkeypatch):
    for name in ("TRACKING_URI", "EXPERIMENT_NAME"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)
    together = threading.Barrier(2)

    def begin(name):
        (tmp_path / name).mkdir()
        weights = {"B02 (10 m)": 1.0, "B02 [10 m]": 2.0, "../a//b": 3.0}
        tracker = MlflowTracker(tmp_path / name, tmp_path / "_mlflow", name, {"weights": weights})
        together.wait()
        tracker.resume(0, [{"step": 1, "kind": "val", "r² (red)": 0.5}])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(begin, ("one", "two")))
    runs, points, _ = history(tmp_path / "_mlflow")
    assert sorted(run.info.run_name for run in runs) == ["one", "two"]
    assert runs[0].data.params == {
        "weights.B02 _10 m_": "1.0", "weights.B02 _10 m__2": "2.0", "weights__./a/b": "3.0",
    }  # fmt: skip
    assert list(points) == ["val/r² _red_"]


def test_settings_are_told_flat_and_without_nulls():
    settings = {"a": 1, "b": {"c": [1, 2], "d": None, "e": {"f": "x"}}, "long": "y" * 9999}
    told = dict(_flat(settings))
    assert {k: v for k, v in told.items() if k != "long"} == {
        "a": "1",
        "b.c": "[1, 2]",
        "b.e.f": '"x"',
    }
    assert len(told["long"]) == 500


def test_mlflow_without_what_keeps_its_file_is_refused_before_anything_else(tmp_path, monkeypatch):
    path = tmp_path / "environment.json"
    path.write_text('{"tracking": "mlflow"}')
    monkeypatch.setattr(tracking, "find_spec", lambda name: None if name == "alembic" else name)
    with pytest.raises(MissingExtraError, match=r"mlflow is not installed; pip .*/mlflow\.txt"):
        refuse_untracked(load_environment(path))
    monkeypatch.setattr(tracking, "find_spec", lambda name: name)
    refuse_untracked(load_environment(path))
