"""What a run begins with is what it says: the map, the checkpoint, and the same for ``--check``."""

from __future__ import annotations

import json
import shutil
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf

import train as door
from experiment import Experiment
from models.parts.base_image import base_layer
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import located
from sensor2sensor.core.errors import CheckpointError, ConfigError, ConfigErrors
from sensor2sensor.core.runs import read_run_json, write_run_json
from sensor2sensor.training.data_form import form_of
from sensor2sensor.training.recipe import construct
from sensor2sensor.training.rehearsal import rehearse
from sensor2sensor.training.restoring import restore_for_inference
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start, find_pretrained, with_pretrained
from tests.fakes_dataset import glinting, make_dataset
from tests.fakes_looks import plain_looks
from tests.unit.training.tiny import TinyGAN

SETTINGS = {
    "model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "steps": 4, "batch_size": 2,
    "params": {"width": 0.07}, "seed": 5, "sample_val": 1,
}  # fmt: skip


class Based(TinyGAN):
    """Adds to its upsampled input, as the shipped generators do with base 'input'."""

    def Generator(self):
        inner = super().Generator()
        base = base_layer(self.exp)(inner.input)
        return keras.Model(inner.input, keras.layers.Add()([base, inner.output]))


class Still(Based):
    """Learns nothing, so that what a run began with can be seen at its end."""

    @tf.function
    def train_step(self, input_image, target, step):
        return {"gen": tf.reduce_mean(self.generator(input_image, training=False))}


@pytest.fixture(scope="module", autouse=True)
def looks():
    """What a look shows is not the subject here."""
    with plain_looks():
        yield


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A checkpoint after every second step; two data sets of other value ranges."""
    root = tmp_path_factory.mktemp("pretrained")
    make_dataset(root / "data", train=4, val=1, test=1)
    make_dataset(root / "data", name="alt6_else", train=4, val=1, test=1, seed=3, picture=glinting)
    make_dataset(root / "data", name="alt4", factor=4, train=4, val=1, test=1)
    make_dataset(root / "data", name="cur", kind="sentinel3", train=2, val=1, test=1)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 2, "sample_freq": 4}))
    (root / "experiments").mkdir()
    return load_environment(root / "environment.json")


def experiment(environment, name, timestamp="0715-0930", **changes):
    folder = environment.experiment_root / name
    folder.mkdir(exist_ok=True)
    (folder / "experiment.json").write_text(json.dumps({**SETTINGS, **changes}, indent=1))
    return Experiment(name, environment, timestamp=timestamp)


def go(environment, exp, *, start=None, steps=2, model=Based):
    said = []
    outcome = train(model, exp, environment, start=start or Start(), steps=steps, say=said.append)
    return outcome.model.generator, said


@pytest.fixture(scope="module")
def source(environment):
    """A trained run whose weights others begin with."""
    exp = experiment(environment, "source")
    return exp, go(environment, exp)[0]


def applied(exp, step):
    model = construct(Based, exp)
    restore_for_inference(model, exp.run, step)
    return model.generator


def learned_weights(generator):
    return [v.numpy() for v in generator.trainable_variables]


def base_of(generator):
    return generator.get_layer("base").get_weights()


def differ(one, two):
    return any(not np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("way", ["pretrained", "source"], ids=["pretrained", "restore"])
@pytest.mark.parametrize(
    "changes", [{"normalisation": "minmax"}, {"dataset": "alt6_else"}], ids=["kind", "data"]
)
def test_weights_of_another_map_keep_the_new_base_and_say_so(environment, source, way, changes):
    taken, generator = source
    asked = {"pretrained_generator": "source"} if way == "pretrained" else {}
    exp = experiment(environment, f"other_{way}_{next(iter(changes))}", **asked, **changes)
    wanted = base_of(construct(Based, exp).generator)
    assert differ(wanted, base_of(generator))
    steps = 2 if asked else 4
    begun, said = go(environment, exp, start=Start(**{way: taken.run}), steps=steps, model=Still)
    assert not differ(base_of(begun), wanted)
    assert not differ(learned_weights(begun), learned_weights(generator))
    (line,) = [line for line in said if "the weights learned" in line]
    then, now = "'symmetric' on 'alt6_toy'", {**SETTINGS, "normalisation": "symmetric", **changes}
    assert f"{then}, this run maps '{now['normalisation']}' on '{now['dataset']}'" in line
    if asked:
        kept = read_run_json(exp.run)["pretrained_generator"]["learned"]
        assert kept["normalisation"] == "symmetric"
        assert kept["dataset"] == read_run_json(taken.run)["dataset"]


DIFFER = "pretrained_generator: 'alt6_toy' (there) differs from "


def test_other_data_of_the_same_bands_differ_in_one_line_and_in_run_json(environment, source):
    start, asked = Start(pretrained=source[0].run), {"pretrained_generator": "source"}
    lines, kept = {}, {}
    for data in ("alt6_else", "alt4", "alt6_toy"):
        exp = experiment(environment, f"onto_{data}", dataset=data, **asked)
        _, said = go(environment, exp, start=start, steps=1, model=Still)
        lines[data] = [line for line in said if line.startswith(DIFFER)]
        kept[data] = read_run_json(exp.run)["pretrained_generator"]["differing"]
        if data == "alt6_else":
            ranges = exp.contract.target_ranges().tolist()
            found = kept[data]["ranges"]
            assert [found[f"target {b}"][1] for b in ("B02", "B03", "B04")] == ranges
    assert kept["alt6_else"].keys() == {"ranges"} and len(kept["alt6_else"]["ranges"]) == 6
    assert kept["alt4"]["factor"] == [6.0, 4.0] and "pixel_m" not in kept["alt4"]
    assert (kept["alt6_toy"], lines["alt6_toy"]) == ({}, [])
    (line,) = lines["alt6_else"]
    assert line.startswith(f"{DIFFER}'alt6_else': ranges input B02 ") and line.endswith(
        "and 2 more"
    )
    (line,) = lines["alt4"]
    assert "'alt4': input pixels of 6 target pixels there, 4 here; ranges input " in line


def test_a_run_from_before_is_held_against_its_data_set_as_long_as_that_is_there(
    environment, source
):
    taken, _ = source
    record = read_run_json(taken.run)
    older = {k: v for k, v in record.items() if k != "data"}
    exp = experiment(environment, "gone", pretrained_generator="source")
    try:
        write_run_json(taken.run, older)
        assert form_of(taken.run, exp) == record["data"]
        write_run_json(taken.run, {**older, "dataset": {"name": "moved", "sha256": "0" * 64}})
        _, said = go(environment, exp, start=Start(pretrained=taken.run), steps=1, model=Still)
    finally:
        write_run_json(taken.run, record)
    assert [line for line in said if "of 'moved', as it was then, are not known any more" in line]
    assert read_run_json(exp.run)["pretrained_generator"]["differing"] is None


@pytest.mark.parametrize("check", [True, False], ids=["check", "training"])
def test_other_bands_are_refused_with_the_line_of_the_key(environment, source, check):
    exp = experiment(environment, f"bands{check}", dataset="cur", pretrained_generator="source")
    with pytest.raises(ConfigErrors) as caught, located(exp.document):
        begin = Start(pretrained=source[0].run)
        if check:
            rehearse(Based, exp, environment, begin, print)
        go(environment, exp, start=begin, model=Still)
    text = str(caught.value)
    assert "experiment.json:" in text and " pretrained_generator: " in text
    assert "learned other data: input bands are B02, B03, B04 (reflectance) there, Oa01" in text
    assert "; name a run with these bands and units" in text and len(text.splitlines()) == 1


def test_on_the_same_data_and_kind_the_map_of_the_weights_is_used(environment, source):
    taken, _ = source
    record = read_run_json(taken.run)
    write_run_json(taken.run, {k: v for k, v in record.items() if k != "normalisation"})
    exp = experiment(environment, "same", pretrained_generator="source")
    try:
        _, said = go(environment, exp, start=Start(pretrained=taken.run), model=Still)
    finally:
        write_run_json(taken.run, record)
    assert read_run_json(exp.run)["normalisation"]["legacy"] is True  # recorded none: that of then
    assert not [line for line in said if "the weights learned" in line]


def test_a_run_resumed_before_its_first_checkpoint_begins_with_the_same_generator(environment):
    taken = experiment(environment, "growing")
    go(environment, taken)
    exp = experiment(environment, "begun", pretrained_generator="growing")
    first, _ = go(environment, exp, start=Start(pretrained=taken.run), model=Still)
    kept = read_run_json(exp.run)["pretrained_generator"]
    shutil.rmtree(exp.run.ckpt_dir)  # as if it had been killed earlier
    go(environment, taken, start=Start(resume=True), steps=4)
    assert differ(learned_weights(applied(taken, 4)), learned_weights(first))
    later = experiment(environment, "growing", timestamp="0716-0930")
    go(environment, later)  # the latest run of the experiment that is named

    find = partial(find_pretrained, exp, environment)
    start = with_pretrained(Start(resume=True), exp, find)
    assert start.pretrained == taken.run
    again, _ = go(environment, exp, start=start, model=Still)
    assert not differ(learned_weights(again), learned_weights(first))
    assert read_run_json(exp.run)["pretrained_generator"] == kept

    shutil.rmtree(exp.run.ckpt_dir)
    victim = taken.run.ckpt_dir / "ckpt-2.index"
    whole = victim.read_bytes()
    for content, fate in ((whole + b"x", "another file now"), (None, "gone")):
        victim.unlink()
        if content is not None:
            victim.write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"ckpt-2\.index, which .* is {fate}; "):
            go(environment, exp, start=start, model=Still)


class Deeper(Based):
    """Ten more differences than a message once named."""

    def Generator(self):
        inputs = x = keras.Input((self.size, self.size, self.bands))
        for number in range(6):
            x = keras.layers.Conv2D(5 + number, 1, name=f"deep{number}x")(x)
        return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(x))


@pytest.mark.parametrize("check", [True, False], ids=["check", "training"])
def test_another_network_is_refused_with_the_line_of_the_key(environment, source, check):
    exp = experiment(environment, f"deeper{check}", pretrained_generator="source")
    start = Start(pretrained=source[0].run)
    with pytest.raises(ConfigErrors) as caught, located(exp.document):
        if check:
            rehearse(Deeper, exp, environment, start, print)
        go(environment, exp, start=start, model=Deeper)
    text = str(caught.value)
    lines = (exp.exp_dir / "experiment.json").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if "pretrained_generator" in line)
    assert f"experiment.json:{number} pretrained_generator: " in text
    assert "holds another network" in text and len(text.splitlines()) == 1
    assert text.count("(there) against") == 11  # the number of variables, and ten of them
    assert "more" not in text


def test_check_refuses_what_resuming_refuses(environment, source):
    exp = experiment(environment, "again")
    go(environment, exp)
    resume = Start(resume=True)
    before = sorted(exp.exp_dir.rglob("*"))
    assert "first step traced" in rehearse(Based, exp, environment, resume, print)
    with pytest.raises(CheckpointError, match="saved by another architecture"):
        rehearse(Deeper, exp, environment, resume, print)
    changed = experiment(environment, "again", batch_size=1)
    with pytest.raises(ConfigError, match="changed since the run began: batch_size"):
        rehearse(Based, changed, environment, resume, print)
    assert sorted(exp.exp_dir.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "changes", "message"),
    [
        (["--resume"], {"batch_size": 1}, "changed since the run began: batch_size"),
        ([], {"pretrained_generator": "source"}, r"json:\d+ pretrained_generator: .* another netw"),
    ],
    ids=["resume", "pretrained"],
)
def test_the_door_passes_on_what_is_to_be_checked(environment, source, options, changes, message):
    name = f"door{len(options)}"
    go(environment, experiment(environment, name))
    experiment(environment, name, **changes)
    line = ["--exp", name, "--check", "--environment", str(environment.path), *options]
    with pytest.raises(ConfigError, match=message):
        door.main(door.arguments().parse_args(line))
