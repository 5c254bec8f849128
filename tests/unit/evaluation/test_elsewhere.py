"""Another data set to score a run on: what is refused, what is told, and what is written."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.overlap import Overlap
from sensor2sensor.evaluation.elsewhere import Elsewhere, made_otherwise, refuse_other_contract
from sensor2sensor.evaluation.fixed import fixed_tiles, write_fixed
from sensor2sensor.evaluation.output import stem
from sensor2sensor.evaluation.recipe import recipe_of
from sensor2sensor.evaluation.run import Evaluation, TileScores, evaluate
from tests.fakes_dataset import toy_contract
from tests.unit.evaluation import toys

CONTRACT = toy_contract("a", "degraded", 6, 64, 0)


def changed(**changes):
    return CONTRACT.model_copy(update={"name": "b", **changes})


def with_bands(side, bands):
    spec = getattr(CONTRACT, side)
    return changed(**{side: spec.model_copy(update={"bands": tuple(bands)})})


def test_a_data_set_that_means_something_else_by_a_number_is_refused_with_all_that_differs():
    other = toy_contract("b", "sentinel3", 30, 64, 0)
    with pytest.raises(ConfigError) as refused:
        refuse_other_contract(CONTRACT, other)
    text = str(refused.value)
    for part in ("kind degraded in training, sentinel3 there", "factor 6.0 in training, 30.0",
                 "input grid 11 x 11 in training, none", "input bands B02, B03, B04"):  # fmt: skip
        assert part in text
    bands = CONTRACT.target.bands
    cases = {
        "target bands B02, B03, B04 in training, B04, B03, B02 there": with_bands(
            "target", bands[::-1]
        ),
        "target bands B02 (reflectance) in training, B02 (DN) there": with_bands(
            "target", [bands[0].model_copy(update={"unit": "DN"}), *bands[1:]]
        ),
        "pixels of 10 m in training, 20 m there": changed(resolution_m=20.0),
        "target band B04 at 664.6 nm in training, at 1610 nm there": with_bands(
            "target", [*bands[:2], bands[2].model_copy(update={"wavelength_nm": 1610.0})]
        ),
    }  # fmt: skip
    for words, contract in cases.items():
        with pytest.raises(ConfigError) as refused:
            refuse_other_contract(CONTRACT, contract)
        assert words in str(refused.value)


def test_what_only_says_how_and_where_values_are_kept_may_differ():
    policy = CONTRACT.split_policy.model_copy(update={"seed": 9})
    stored = CONTRACT.target.model_copy(update={"dtype": "float32"})
    bands = [b.model_copy(update={"wavelength_nm": b.wavelength_nm + 3}) for b in stored.bands]
    stored = stored.model_copy(update={"bands": tuple(bands)})
    refuse_other_contract(CONTRACT, changed(split_policy=policy, target=stored, resolution_m=None))


def test_numbers_of_another_making_are_scored_and_told():
    blurred = CONTRACT.degradation.model_copy(update={"method": "mtf", "mtf_nyquist": 0.2})
    provenance = [{"step": step, "options": {"level": level}}
                  for step, level in (("50", "L2A"), ("53", "L1C"))]  # fmt: skip
    trained = CONTRACT.model_copy(update={"provenance": provenance[0]})
    other = changed(degradation=blurred, provenance=provenance[1])
    refuse_other_contract(trained, other)
    told = list(made_otherwise(trained, other))
    assert told == [
        "degraded by means in training, an MTF of 0.2 at Nyquist there",
        "level L2A in training, L1C there", "made by step 50 in training, step 53 there",
    ]  # fmt: skip
    assert list(made_otherwise(trained, trained)) == list(made_otherwise(CONTRACT, trained)) == []
    moved = changed(input=CONTRACT.input.model_copy(update={"aligned": ("train",)}))
    refuse_other_contract(moved, CONTRACT)
    # Those that are scored never are, whichever of the two trains on aligned ones.
    assert list(made_otherwise(moved, CONTRACT)) == list(made_otherwise(CONTRACT, moved)) == []
    known = {"name": "a", "sha256": "1"}
    there = Elsewhere("b", None, moved, known, Overlap("crs", (), frozenset()))
    lines = " / ".join(there.lines())
    assert (
        "inputs of train are aligned with the target in 'b': those that are scored never" in lines
    )
    assert "another making" not in lines
    there = Elsewhere("b", None, other, known, Overlap("crs", (), frozenset()), differs=tuple(told))
    assert there.as_json("2")["differs"] == told
    assert "its numbers are of another making: degraded by means" in " ".join(there.lines())


@pytest.mark.parametrize(("overlap", "words", "seen", "beside"), [
    (Overlap("crs", ("p", "q"), frozenset(), frozenset({"q"}), ("r1c1",)),
     ["0 of 2 tiles show ground of the train split of 'a', which the run learned from",
      "1 more lie beside it"], 0, 1),
    (Overlap("group", ("p", "q"), frozenset({"p"})),
     ["1 of 2 tiles are of places", "these scores are not all of new ground"], 1, None),
    (Overlap("unknown", ("p",), frozenset(), note="nobody knows"), ["nobody knows"], None, None),
    (Overlap("unknown", ("p",), frozenset({"p"}), note="nobody knows"),
     ["1 of 1 tiles are made of files"], 1, None),
    (Overlap("crs", tuple("pqrs"), frozenset("p"), shown=frozenset("pqr"), aside=frozenset("r")),
     ["1 of 4 tiles show ground of the val split of 'a', which checkpoints and recipes are chosen",
      "1 of 4 tiles show ground of the val split of 'a' that calibrates its intervals: these",
      "(seen_in_validation tells the tiles)"], 1, 0),
])  # fmt: skip
def test_ground_that_training_has_seen_is_told_and_written(overlap, words, seen, beside):
    there = Elsewhere("b", None, CONTRACT, {"name": "a", "sha256": "1"}, overlap)
    told = " / ".join(there.lines())
    for part in ("trained on 'a', scored on 'b'", *words):
        assert part in told
    found = there.as_json("2")
    assert (found["seen_tiles"], found["beside_tiles"]) == (seen, beside)
    assert (found["name"], found["sha256"], found["trained_on"]["name"]) == ("b", "2", "a")
    shown = len(overlap.shown - overlap.seen)
    assert found["val_tiles"] == (shown if overlap.ground != "unknown" else None)


def test_no_evaluation_of_another_data_set_overwrites_one():
    own = stem(toys.subject(), "standard")
    names = {
        stem(toys.subject(dataset=n, dataset_sha256=d * 32, scored_on={}), "standard", split)
        for n in ("x", "x_tiles") for d in ("ab", "cd") for split in ("test", "val")
    }  # fmt: skip
    assert len(names) == 8 and own not in names
    # Nor is a table of facts called like one of scores.
    assert not {f"{name}_tiles" for name in (*names, own)} & {*names, own}
    assert f"{own}_on-x-abababab" in names


def scored(scenes, split="test"):
    rows = [
        TileScores(f"t{i}", f"s{i % scenes}", "b", split, "model", {"ssim": i / 40}, "ordinary")
        for i in range(40)
    ]
    return Evaluation(tuple(rows), ("model",), ("ssim",), "standard", split, 0)


def test_the_fixed_tiles_are_of_all_scenes_and_the_same_whatever_the_scores():
    chosen = fixed_tiles(scored(5), "d")
    assert len(chosen) == len(set(chosen)) == 8
    assert {place % 5 for place in chosen[:5]} == set(range(5))
    assert len({place % 20 for place in fixed_tiles(scored(20), "d")}) == 8
    worse = Evaluation(
        tuple(TileScores(r.name, r.scene, r.block, r.split, "model", {"ssim": -r.values["ssim"]},
                         "ordinary") for r in scored(5).rows),
        ("model",), ("ssim",), "standard", "test", seed=7,
    )  # fmt: skip
    assert fixed_tiles(worse, "d") == chosen != fixed_tiles(scored(5), "e")
    assert fixed_tiles(scored(5, "val"), "d") != chosen


def test_each_fixed_tile_is_drawn_pixel_for_pixel(tmp_path):
    place = toys.dataset()
    predictors = {"model": toys.perfect, "nearest": toys.noisy(0.05)}
    found = evaluate(predictors, *place)
    entries = write_fixed(found, predictors, *place, tmp_path / "x_gallery")
    assert [entry["panel"] for entry in entries[:4]] == ["input", "model", "nearest", "truth"]
    assert len(entries) == 4 * 5 and {entry["rank"] for entry in entries} == {"fixed"}
    names = {row.name for row in found.of("model")}
    assert {entry["tile"] for entry in entries} == names
    shown = [np.asarray(Image.open(tmp_path / entry["file"])) for entry in entries[:4]]
    assert {image.shape for image in shown} == {(64, 64, 3)}
    # The model is the truth itself; its input is not, and neither is the noise.
    np.testing.assert_array_equal(shown[1], shown[3])
    assert (shown[0] != shown[3]).any() and (shown[2] != shown[3]).any()


def recipe(tmp_path, excluded=None, options=(), **keys):
    made = {"model_name": "edsr", "dataset": "d", **keys}
    config = ExperimentFile.model_validate(made)
    return recipe_of(config, excluded or Excluded(), options, tmp_path / "none.json")


def test_a_recipe_is_the_experiment_without_its_seed_and_what_trains_nothing(tmp_path):
    plain = recipe(tmp_path)
    alike = ({"seed": 5}, {"sample_tiles": ["x"]}, {"keep_last": 9}, {"val_freq": 7},
             {"batch_size": 16}, {"exclude_tiles": "/elsewhere/list.txt"})  # fmt: skip
    assert {recipe(tmp_path, **keys) for keys in alike} == {plain}
    others = ({"dataset": "e"}, {"learning_rate": 1e-3}, {"steps": 7}, {"params": {"width": 0.5}},
              {"batch_size": 4}, {"ema": 0.9}, {"enforce_suffix": "x"}, {"epochs": 3})  # fmt: skip
    told = [recipe(tmp_path, **keys) for keys in others]
    told.append(recipe(tmp_path, Excluded(frozenset({"t"}), "list.txt")))
    assert len({plain, *told}) == len(told) + 1


def test_a_batch_size_of_the_evaluation_is_not_the_trainings(tmp_path):
    resolved = tmp_path / "experiment.json"
    resolved.write_text('{"batch_size": 4}')
    trained = ExperimentFile.model_validate({"model_name": "edsr", "dataset": "d", "batch_size": 4})
    asked = trained.model_copy(update={"batch_size": 16})
    known = recipe_of(trained, Excluded(), (), resolved)
    assert recipe_of(asked, Excluded(), ("batch_size=16",), resolved) == known
    assert recipe_of(asked, Excluded(), (), resolved) != known


def test_a_run_that_weights_were_taken_of_stands_for_its_recipe_and_not_for_its_name(tmp_path):
    def known(name, *, step=200, key="registration", **settings):
        """Recipe of a run that took weights of that one."""
        run = Run(tmp_path / name, "0101-0000")
        files.write_json(run.resolved, {"model_name": "registration", "seed": 0, **settings})
        files.write_json(run.run_json, {"started": "2026-11-28T13:00:00Z"})
        named = name if key == "pretrained_generator" else {"run": name, "train": True}
        made = {"model_name": "carn", "dataset": "d", key: named}
        config = ExperimentFile.model_validate(made)
        taken = {key: {"experiment": str(run.exp_dir), "timestamp": run.timestamp, "step": step}}
        return recipe_of(config, Excluded(), (), tmp_path / "none.json", taken)

    for key in ("registration", "pretrained_generator"):
        alike = {known(f"{key}/r{seed}", key=key, seed=seed) for seed in (0, 1)}
        other = known(f"{key}/other", key=key, learning_rate=1e-3)
        short = known(f"{key}/short", key=key, step=100)
        assert len({*alike, other, short}) == 3
