"""run.json: the device asked for, the commit that was run, what may change before a resume."""

from __future__ import annotations

import re
import shutil
from types import SimpleNamespace

import pytest

from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.network_settings import VggSettings
from sensor2sensor.config.weights import GeneratorLosses
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import Run, read_run_json, write_run_json
from sensor2sensor.training.data_form import data_form
from sensor2sensor.training.modules import vgg_identity
from sensor2sensor.training.run_file import (
    choose_device,
    dataset_identity,
    git_state,
    gpu_label,
    refuse_changed,
)
from tests.models import clouds


def test_a_missing_gpu_is_named_only_where_one_is_required():
    assert choose_device(require_gpu=False) == "CPU"  # the tests hide every GPU
    with pytest.raises(ConfigError, match=r"require_gpu is true.*doctor"):
        choose_device(require_gpu=True)


def test_of_several_gpus_only_the_one_that_computes_is_claimed():
    assert gpu_label("H100", 1) == "GPU (H100)"
    assert gpu_label("H100", 4) == "GPU (H100, the first of 4; no other is used)"


def test_the_commit_is_noted_in_a_checkout(repository):
    state = git_state()
    if not (repository / ".git").exists() or shutil.which("git") is None:
        assert state == {"commit": None, "dirty": None}
    else:
        assert re.fullmatch(r"[0-9a-f]{40}", state["commit"])
        assert isinstance(state["dirty"], bool)


def test_without_git_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state() == {"commit": None, "dirty": None}


NEW_KEYS = (
    "discriminator", "generator_warmup", "learning_rate_schedule", "beta_1", "gradient_clip",
    "ema", "precision",
)  # fmt: skip
NEW_LOSSES = ("gen_lsgan", "gen_ragan", "gen_fm", "disc_wstein", "disc_gp", "disc_lsgan",
              "disc_ragan")  # fmt: skip


@pytest.fixture
def begun(tmp_path):
    """``begun(then, **now)``: an experiment whose run began with the settings ``then``."""
    (tmp_path / "dataset.json").write_text("{}")

    def make(then=None, **now):
        config = ExperimentFile(model_name="edsr", dataset="alt6_toy", **now)
        run = Run(tmp_path, "0715-0930")
        experiment = SimpleNamespace(
            run=run, config=config, dataset_dir=tmp_path, document=JsonDocument(tmp_path, {}, ""),
            STEPS=config.steps, EPOCHS=None,
        )  # fmt: skip
        then = config.model_dump(mode="json") if then is None else then
        files.write_json(run.resolved, then)
        started = {"started": "2026-07-15T09:30:00.000Z"}
        write_run_json(run, {**started, "dataset": dataset_identity(experiment)})
        return experiment

    return make


def of_old(**settings):
    """The resolved settings as they were written before recipes and their losses existed."""
    config = ExperimentFile(model_name="edsr", dataset="alt6_toy", **settings)
    then = config.model_dump(mode="json")
    for key in NEW_KEYS:
        del then[key]
    for side in ("gen_loss", "disc_loss"):
        then[side] = {k: v for k, v in then[side].items() if k not in NEW_LOSSES}
    return then


def test_a_run_begun_before_a_key_existed_is_resumed_where_it_has_its_default(begun):
    refuse_changed(begun(of_old()))
    weights = {"gen_loss": {"gen_l1": 3.0}}
    refuse_changed(begun(of_old(**weights), **weights))
    refuse_changed(begun(of_old(params={"width": 0.5}), params={"width": 0.5}))


@pytest.mark.parametrize(
    ("now", "named"),
    [
        ({"ema": 0.9}, r"ema: nothing \(there\) against 0\.9 \(asked\)"),
        ({"precision": "mixed_bfloat16"}, "precision: nothing"),
        ({"discriminator": None, "gen_loss": {"gen_l1": 1.0}}, "discriminator: nothing"),
        ({"gen_loss": {"gen_gan": 1.0, "gen_l1": 100.0, "gen_lsgan": 2.0}}, r"gen_loss\.gen_ls"),
        ({"gen_loss": {"gen_gan": 1.0, "gen_l1": 10.0}}, r"gen_loss\.gen_l1: 100.0 "),
        ({"params": {"width": 0.5}}, "params: "),
    ],
)
def test_another_value_of_a_new_or_old_key_is_refused(begun, now, named):
    with pytest.raises(ConfigError, match=named):
        refuse_changed(begun(of_old(), **now))


def test_steps_may_be_raised_until_a_schedule_begins_to_fall_towards_them(begun):
    constant = begun(steps=10).config.model_dump(mode="json")
    refuse_changed(begun(constant, steps=20))
    cosine = {"learning_rate_schedule": {"kind": "cosine"}}
    falling = begun(steps=10, **cosine).config.model_dump(mode="json")
    looks = {"sample_val": 3, "sample_tiles": ["a"], "expects": {"target_bands": 3}}
    refuse_changed(begun(falling, steps=10, **looks, **cosine))
    late = {"learning_rate_schedule": {"kind": "linear", "start": 0.5}}
    held = begun(steps=10, **late).config.model_dump(mode="json")
    for done, asked, then in (
        (4, late, held),
        (5, late, held),
        (6, late, held),
        (1, cosine, falling),
    ):
        exp = begun(then, steps=20, **asked)
        exp.run.ckpt_dir.mkdir(parents=True, exist_ok=True)
        (exp.run.ckpt_dir / f"ckpt-{done}.index").touch()
        if done in (4, 5):
            refuse_changed(exp)  # so far all steps are those of either length
            continue
        begins = 5 if asked is late else 0
        there = max(done, 6)
        said = rf"steps: 10 \(there\) against 20 .*falls .*after {begins} steps of {there} that are"
        with pytest.raises(ConfigError, match=said):
            refuse_changed(exp)
        shorter = begun(then, steps=8, **asked)
        with pytest.raises(ConfigError, match=r"steps: 10 \(there\) against 8 "):
            refuse_changed(shorter)


PUBLISHED = {"scale": 2000, "max_val_sar": 2}
OTHER = r"began: scaling\.scale: 2000(\.0)? \(there\) against 1000(\.0)? \(asked\); undo it"


@pytest.mark.parametrize(
    ("then", "now"), [(None, PUBLISHED), (PUBLISHED, None), (None, {"scale": 2000.0})]
)
def test_numbers_of_a_scaling_are_those_in_force(begun, then, now):
    kind = {"normalisation": "dsen2cr"}
    learned = begun(**kind, scaling=then).config.model_dump(mode="json")
    refuse_changed(begun(learned, **kind, scaling=now))
    with pytest.raises(ConfigError, match=OTHER):
        refuse_changed(begun(learned, **kind, scaling={"scale": 1000}))
    # Another map altogether is one change.
    with pytest.raises(ConfigError, match=r"began: normalisation: dsen2cr \(there\) .*d\); undo"):
        refuse_changed(begun(learned, normalisation="minmax"))


def test_a_change_in_an_extended_file_is_named_where_it_stands(begun, tmp_path):
    (tmp_path / "base.json").write_text('{"model_name": "edsr", "dataset": "alt6_toy",\n"seed": 9}')
    (tmp_path / "experiment.json").write_text('{"extends": "base.json"}')
    experiment = begun(of_old(), seed=9)
    experiment.document = load_experiment_file(tmp_path / "experiment.json")[1]
    with pytest.raises(
        ConfigError, match=r"seed: 0 \(there\) against 9 \(asked\) at .*base.json:2"
    ):
        refuse_changed(experiment)


def test_other_weights_of_vgg_are_refused_and_none_known_are_not(begun, tmp_path):
    now = {
        "gen_loss": GeneratorLosses(gen_l1=1.0, gen_vgg=2.0),
        "vgg": VggSettings(weights="vgg19.h5"),
    }
    experiment = begun(**now)
    experiment.VGG, experiment.excluded = SimpleNamespace(path=tmp_path / "vgg19.h5"), Excluded()
    experiment.VGG.path.write_bytes(b"weights")
    refuse_changed(experiment)  # begun before it was noted
    known = read_run_json(experiment.run)
    write_run_json(experiment.run, {**known, "vgg": vgg_identity(experiment)})
    refuse_changed(experiment)
    experiment.VGG.path.write_bytes(b"others")
    with pytest.raises(ConfigError, match=r"vgg\.weights: .*vgg19\.h5 holds other weights"):
        refuse_changed(experiment)
    without = begun(gen_loss=GeneratorLosses(gen_l1=1.0))
    assert vgg_identity(without) is None


def test_a_data_set_built_anew_is_refused_and_its_bands_are_named_where_they_are_others(begun):
    ten, thirteen = (clouds.contract(bands, bands) for bands in (clouds.TEN, tuple(clouds.NM)))
    experiment = begun()
    known = read_run_json(experiment.run)
    write_run_json(experiment.run, {**known, "data": data_form(ten)})
    (experiment.dataset_dir / "dataset.json").write_text("{ }")
    experiment.contract = ten
    with pytest.raises(ConfigError, match=r"began: the data set was built anew; undo it"):
        refuse_changed(experiment)
    experiment.contract = thirteen
    bands = r"input bands are B02, B03, .* there, B01, B02, .* here"
    with pytest.raises(ConfigError, match=f"the data set was built anew: {bands}") as caught:
        refuse_changed(experiment)
    assert "\n" not in str(caught.value)
