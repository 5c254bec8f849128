"""Five systems, several seeds: what is trained and scored, without training anything."""

from __future__ import annotations

import sys

import pytest

from benchmarks import systems

SEEDS = (3, 4)


class Doors:
    """A job of which every stage is noted and none is run."""

    def __init__(self, work, stages):
        self.work, self.stages, self.called = work, stages, []
        self.environment = work / "environment.json"

    def write_environment(self, **keys):
        self.keys = keys

    def announce(self, title):
        self.called.append((title,))

    def door(self, title, door, *options, accept=(0,)):
        self.called.append((door, *map(str, options)))

    def finish(self):
        pass


@pytest.fixture
def job(tmp_path, monkeypatch):
    """The job of a whole run of two seeds, its trainings noted as (name, settings, split)."""
    for system in systems.SYSTEMS.values():
        (tmp_path / system.folder).mkdir(parents=True, exist_ok=True)
    made = []

    def train(job, name, content, dataset, split="test"):
        job.called.append(("train", name, content, dataset.relative_to(job.work), split))
        return {"timestamp": "0101-0000"}

    def start(work, stages):
        made.append(Doors(work, stages))
        return made[0]

    for module in (systems, systems.sisr, systems.real):
        monkeypatch.setattr(module, "run", lambda *words: None, raising=False)
    monkeypatch.setattr(systems.real, "select_all", lambda *words: None)
    monkeypatch.setattr(systems.trainings, "train", train)
    monkeypatch.setattr(systems, "Job", start)
    words = ["--data", str(tmp_path), "--work", str(tmp_path / "w"), "--seeds", *map(str, SEEDS)]
    monkeypatch.setattr(sys, "argv", ["systems.py", *words])
    assert systems.main() == 0
    return made[0]


def test_every_stage_is_counted(job):
    assert len(job.called) == job.stages


def test_each_model_is_trained_with_each_seed_and_set_aside_ground(job):
    trained = {call[1]: call[2] for call in job.called if call[0] == "train"}
    own = {name: content for name, content in trained.items() if "/registration/" not in name}
    models = [f"{name}/{m}" for name, system in systems.SYSTEMS.items() for m in system.models]
    assert sorted(own) == sorted(f"{model}/{seed}" for model in models for seed in SEEDS)
    for name, content in own.items():
        assert content["seed"] == int(name.rsplit("/", 1)[1])
        aside = systems.CALIBRATION if not name.startswith("clouds/") else None
        assert content["calibration"] == aside
        if "registration" in content:
            # A registration of the same seed, trained before it is used.
            run = content["registration"]["run"]
            assert run == f"sisr/registration/{content['seed']}"
            assert list(trained).index(run) < list(trained).index(name)


def test_a_missing_sample_is_named_before_anything_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["systems.py", "--data", str(tmp_path), "--work", "w"])
    monkeypatch.chdir(tmp_path)
    assert systems.main() == 2
    assert f"no folder {tmp_path / 's2_safe'}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
