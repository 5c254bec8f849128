"""Stages between the reader and the step: pure, numbered, and absent where nothing asks for any."""

from __future__ import annotations

import json
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.training import batches
from sensor2sensor.training.batches import chain_of, reader_options, train_batches
from sensor2sensor.training.stages import StageChain
from tests.fakes_dataset import make_dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("stages")
    make_dataset(root / "data", train=3, val=1, test=1)
    (root / "environment.json").write_text("{}")
    environment = load_environment(root / "environment.json")
    folder = environment.experiment_root / "e"
    folder.mkdir(parents=True)
    content = {"model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "batch_size": 2}
    (folder / "experiment.json").write_text(json.dumps(content))
    experiment = Experiment("e", environment, timestamp="0715-0930")
    return experiment, reader_options(experiment, environment)


def taken(made, count, chain=None, start=0):
    return list(islice(train_batches(*made, chain=chain, start_step=start), count))


def noted(batch, step):
    """Marks the batch with its step and adds a reflectance that the step says."""
    shift = tf.cast(step, tf.float32) / 100.0
    return {**batch, "input": batch["input"] + shift, "step_seen": step}


def test_an_experiment_that_asks_for_nothing_has_no_chain(made):
    assert chain_of(made[0]) is None


def test_where_training_alone_has_aligned_inputs_it_is_said(made, monkeypatch):
    experiment, options = made
    size = (options.img_height, options.img_width)
    given = SimpleNamespace(size_px=size, batch_size=options.batch_size)
    monkeypatch.setattr(batches, "given_at_once", lambda *_: given)
    model, said = SimpleNamespace(generator=None, discriminator=None), []
    spec = experiment.contract.input.model_copy(update={"aligned": ("train",)})
    for contract in (experiment.contract, experiment.contract.model_copy(update={"input": spec})):
        seen = SimpleNamespace(contract=contract)
        assert batches.options_of_looks(seen, options, model, said.append) == options
    told = "trained with input aligned with the target (train), validated on inputs as they come"
    assert said == [told]


def test_a_chain_of_nothing_prepares_what_the_reader_gives(made):
    chain = StageChain([], made[0].normaliser)
    for plain, staged in zip(taken(made, 2), taken(made, 2, chain), strict=True):
        assert plain.keys() == staged.keys()
        np.testing.assert_array_equal(plain["index"], staged["index"])
        for name in ("input", "target"):
            # On the device a division by a constant is a product: one unit in the last place.
            np.testing.assert_allclose(staged[name], plain[name], atol=2e-7, err_msg=name)


def test_stages_see_reflectances_and_the_number_of_the_step(made):
    chain = StageChain([noted], made[0].normaliser)
    first, second, third = taken(made, 3, chain)
    assert [int(b["step_seen"]) for b in (first, second, third)] == [0, 1, 2]
    plain = taken(made, 3)[2]["input"]
    moved = third["input"] - plain
    span = made[0].normaliser._maps["input"].span
    np.testing.assert_allclose(moved, np.broadcast_to(0.02 / span, moved.shape), atol=1e-5)
    # One that goes on after two steps prepares the third as it was.
    again = taken(made, 1, chain, start=2)[0]
    for name in third:
        np.testing.assert_array_equal(again[name], third[name], err_msg=name)


def test_the_form_of_a_batch_names_what_a_stage_adds(made):
    form = train_batches(*made, chain=StageChain([noted], made[0].normaliser)).element_spec
    assert form["step_seen"].dtype == tf.int64
    assert form["input"].shape == (2, 64, 64, 3)


def test_a_stage_cannot_change_the_batch_it_is_given(made):
    def greedy(batch, step):
        batch.clear()
        return {"input": tf.zeros([1, 4, 4, 3]), "target": tf.zeros([1, 4, 4, 3])}

    chain = StageChain([greedy], made[0].normaliser)
    given = {"input": tf.ones([1, 4, 4, 3]), "target": tf.ones([1, 4, 4, 3])}
    chain(given, tf.constant(0, tf.int64))
    assert set(given) == {"input", "target"}
    assert float(tf.reduce_min(given["target"])) == 1.0


def test_the_stages_run_in_the_order_of_their_keys(made, monkeypatch):
    order = []

    def maker(name):
        def make(experiment):
            def stage(batch, step):
                order.append(name)
                return batch

            return stage

        return make

    monkeypatch.setattr(batches, "MAKERS", {"steps": maker("first"), "seed": maker("second")})
    chain = chain_of(made[0])
    assert chain is not None
    taken(made, 1, chain)
    assert order == ["first", "second"]
