"""``python -m models list | check``: no TensorFlow where none is needed, and plain findings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import tensorflow as tf

from model_tools.check import Findings, _traced_once
from model_tools.probe import batch, experiment
from models.__main__ import arguments, main
from models.loading import list_models
from sensor2sensor.core.cli import main_guard
from tests.doors import run_door
from tests.fakes_dataset import make_dataset

BLUEPRINT = (Path(__file__).parent / "blueprint-model.txt").read_text()
STEP = "    @tf.function\n    def train_step(self, input_image, target, step):\n"
OUTPUT = "made = layers.conv(3, exp.OUTPUT_CHANNELS, 1, batchnorm=False, lrelu=False)(image)\n"


@pytest.fixture
def mine(tmp_path):
    """Checks a module of a user's own folder; the exit code."""
    (tmp_path / "my models").mkdir()
    environment = tmp_path / "environment.json"
    environment.write_text(json.dumps({"models_root": "my models"}))

    def check(text, name="my-model", *words):
        (tmp_path / "my models" / f"{name}.py").write_text(text)
        words = ["check", name, *words, "--environment", str(environment)]
        return main_guard(main, arguments(), words)

    return check


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), (["list"], 0), (["check", "pixpix"], 2), (["check"], 2)]
)
def test_what_needs_no_tensorflow_imports_none(repository, words, code):
    done = run_door("-m", "models", *words, cwd=repository)
    assert (done.code, done.heavy) == (code, frozenset())


def test_list_names_every_model_with_its_sentence_and_a_users_folder(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "odd-one.py").write_text('"""odd-one: mine.\n\nMore."""\nclass GAN: ...\n')
    (tmp_path / "mine" / "torn.py").write_text("class GAN:\n    def (")
    (tmp_path / "environment.json").write_text(json.dumps({"models_root": "mine"}))
    words = ["list", "--environment", str(tmp_path / "environment.json")]
    assert main_guard(main, arguments(), words) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert set(lines) == {*list_models(), "odd-one", "torn"}
    assert lines["pix2pix"].split(maxsplit=1)[1] == "a U-Net against a PatchGAN"
    assert "cannot be read: line 2" in lines["torn"]
    assert lines["odd-one"].split(maxsplit=1)[1] == f"mine  [{tmp_path / 'mine'}]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check"], "NAME"),
        (["list", "pix2pix"], "takes no NAME"),
        (["list", "--check"], "only table"),
        (["table", "--exp", "a/b"], "only check"),
        (["check", "pixpix"], "nearest: 'pix2pix'"),
        (["check", "../x"], "no model name"),
        (["check", "layers"], "helper module"),
    ],
)
def test_bad_input_is_one_line_and_code_2(capsys, words, message):
    assert main_guard(main, arguments(), words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


@pytest.mark.slow
def test_a_module_written_for_the_original_keeps_the_contract(mine, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert mine(BLUEPRINT, "blue-print") == 0
    said = capsys.readouterr().out
    assert "lacks" not in said and "blue-print keeps the contract" in said
    for cases in ("3 bands: ", "21 bands: "):
        for what in ("generator", "discriminator", "4 training steps", "state is saved"):
            assert f"  ok     {cases}{what}" in said
    assert {path.name for path in tmp_path.iterdir()} == {"my models", "environment.json"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "what", "message"),
    [
        (("    @tf.function\n", ""), "source", "not decorated with @tf.function"),
        (("input_image, target, step):", "target, input_image, step):"), "source", "must begin"),
        (
            ("self.generator_optimizer =", "self.optimiser ="),
            "source",
            "never sets self.generator_optimizer",
        ),
        (("import models.layers", "import models.layerz"), "import", "No module named"),
        (("self.discriminator_optimizer =", "self.d ="), "networks", "'discriminator_optimizer'"),
        (
            ("exp.OUTPUT_CHANNELS, 1, batchnorm", "exp.INPUT_CHANNELS, 1, batchnorm"),
            "generator",
            "[B, 64, 64, 21] of [B, 64, 64, 21], not [B, 64, 64, 3]",
        ),
        (
            ("inputs=[image, judged]", "inputs=both"),
            "discriminator",
            "does not take [input, target]",
        ),
        (
            (OUTPUT, f"{OUTPUT}        made = Noise()(made)\n"),
            "inference is repeatable",
            "training is True",
        ),
        (
            ("slopes = tape", "slopes = 2.0 * tape"),
            "4 training steps",
            "(my-model.py, line 53)",
        ),
        (
            (STEP, f"{STEP}        target = tf.sqrt(target - target - 1.0)\n"),
            "4 training steps",
            "not finite",
        ),
        (
            (OUTPUT, f"{OUTPUT}        made = tf.keras.layers.Conv2D(3, 1)(made) * 0.0 + made\n"),
            "4 training steps",
            "never change",
        ),
    ],
)
def test_a_module_is_told_what_it_lacks(mine, capsys, change, what, message):
    assert change[0] in BLUEPRINT
    text = BLUEPRINT.replace(*change)
    if "Noise()" in text:
        noise = "class Noise(tf.keras.layers.Layer):\n    def call(self, x):\n"
        noise += "        return x + tf.random.normal(tf.shape(x))\n\n\nclass GAN:"
        text = text.replace("class GAN:", noise)
    code = mine(text)
    said = capsys.readouterr().out
    lacking = [line for line in said.splitlines() if line.startswith("  lacks")]
    assert code == 2 and "my-model: " in said.splitlines()[-1]
    assert any(what in line and message in line for line in lacking), said


def test_a_step_that_takes_the_number_as_a_python_value_is_found(capsys):
    @tf.function
    def inner(image, target, step):
        return tf.reduce_mean(image - target) * step

    class Step:
        experimental_get_tracing_count = inner.experimental_get_tracing_count

        def __init__(self, kind):
            self.kind = kind

        def __call__(self, image, target, step):
            return inner(image, target, self.kind(step))

    exp = experiment()
    for kind, failed in ((lambda step: tf.cast(step, tf.float32), 0), (int, 1)):
        gan = SimpleNamespace(train_step=Step(kind))
        gan.train_step(*batch(exp), tf.constant(0, tf.int64))
        findings = Findings(print)
        findings.met("traced once", lambda gan=gan: _traced_once(gan, exp))
        assert findings.failed == failed
    assert "traced anew" in capsys.readouterr().out


def test_a_model_that_may_lack_something_is_told_and_passes(capsys):
    def refuse():
        raise ValueError("first line\nsecond line")

    findings = Findings(print)
    assert not findings.met("bfloat16", refuse, needed=False)
    assert (findings.failed, findings.done) == (0, 1)
    assert capsys.readouterr().out == "  note   bfloat16: ValueError: first line\n"


@pytest.mark.slow
def test_check_takes_the_settings_of_an_experiment(tmp_path, capsys):
    make_dataset(tmp_path / "data", name="toy", kind="degraded", factor=6, train=2, val=1)
    (tmp_path / "environment.json").write_text("{}")
    folder = tmp_path / "experiments" / "one"
    folder.mkdir(parents=True)
    settings = {"model_name": "edsr", "dataset": "toy", "tilesize": 64}
    settings["params"] = {"blocks": 1, "width": 0.1}
    settings["gen_loss"] = {"gen_l1": 1.0, "gen_ssim": 1.0}
    (folder / "experiment.json").write_text(json.dumps(settings))
    words = ["--exp", "one", "--environment", str(tmp_path / "environment.json")]
    assert main_guard(main, arguments(), ["check", "edsr", *words]) == 0
    assert "one: 4 training steps: 3 losses" in capsys.readouterr().out
    assert [path.name for path in folder.iterdir()] == ["experiment.json"]
    assert main_guard(main, arguments(), ["check", "pix2pix", *words]) == 2
    lacks = r"lacks  one: is constructed: .*experiment\.json:\d+ params\.blocks: unknown parameter"
    assert re.search(lacks, capsys.readouterr().out)


@pytest.mark.slow
def test_check_tells_what_of_an_experiment_a_module_would_ignore(tmp_path, capsys):
    """What train.py refuses to start with; the module makes its own optimizers."""
    make_dataset(tmp_path / "data", name="toy", kind="degraded", factor=6, train=2, val=1)
    (tmp_path / "mine").mkdir()
    text = (Path(__file__).parent / "original-blocks.txt").read_text()
    (tmp_path / "mine" / "own.py").write_text(text)
    (tmp_path / "environment.json").write_text('{"models_root": "mine"}')
    folder = tmp_path / "experiments" / "one"
    folder.mkdir(parents=True)
    settings = {"model_name": "own", "dataset": "toy", "tilesize": 64, "ema": 0.9}
    (folder / "experiment.json").write_text(json.dumps(settings))
    words = ["check", "own", "--exp", "one", "--environment", str(tmp_path / "environment.json")]
    assert main_guard(main, arguments(), words) == 2
    assert "the experiment asks for ema 0.9" in capsys.readouterr().out
