"""Kept scores of baselines: bit for bit those computed, and new ones where anything differs."""

from __future__ import annotations

import json
import logging
import math

import numpy as np
import pytest

from sensor2sensor.core import files
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.kept import FOLDER, NOTHING, Kept
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.predictors.registry import baselines
from tests import fakes_dataset as fakes
from tests.unit.evaluation import toys


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("kept")
    folder = fakes.make_dataset(
        root, name="deg_kept", kind="degraded", tile_px=32, train=2, val=1, test=3
    )
    return folder, load_contract(folder)


class Counting:
    """A baseline that tells how often it is asked, and can be another."""

    normalised = False

    def __init__(self, predictor, **made):
        self._predictor, self.asked, self._made = predictor, 0, made

    def __call__(self, tiles, /):
        self.asked += 1
        return self._predictor(tiles)

    def describe(self):
        return {**self._predictor.describe(), **self._made}


def run(place, root, profile="standard", split="test", **made):
    """Rows of an evaluation, and how often its baseline was asked; keeps scores below ``root``."""
    bicubic = Counting(baselines(*place)["bicubic"], **made)
    of = {"dataset_sha256": "1", "split": split, "filters": {"exclude_suffix": None}}
    kept = NOTHING if root is None else Kept.scores(root, profile, of)
    predictors = {"model": toys.noisy(0.01), "bicubic": bicubic}
    found = evaluate(predictors, *place, profile=profile, batch_size=2, kept=kept, split=split)
    kept.write()
    return found.of("bicubic"), bicubic.asked, kept


def same(one, two):
    """Every value to the last bit, NaN and infinity included, and every other field."""
    for a, b in zip(one, two, strict=True):
        assert (a.name, a.state, list(a.values)) == (b.name, b.state, list(b.values))
        assert np.array([*a.values.values()]).tobytes() == np.array([*b.values.values()]).tobytes()


def test_kept_scores_are_those_computed_and_nothing_is_predicted_again(place, tmp_path):
    plain, asked, _ = run(place, None)
    first = run(place, tmp_path)
    second = run(place, tmp_path)
    assert (asked, first[1], second[1]) == (2, 2, 0)
    same(plain, first[0])
    same(plain, second[0])
    assert not first[2].lines and "bicubic" in second[2].lines[0]
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_what_the_scores_follow_from_is_part_of_the_key(place, tmp_path, monkeypatch):
    run(place, tmp_path)
    assert run(place, tmp_path, split="val")[1] == 1  # another file: both stay
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    assert run(place, tmp_path, fitted=[1.0, 2.0])[1] == 2  # other numbers take the file's place
    assert run(place, tmp_path, fitted=(1.0, 2.0))[1] == 0
    assert len(list((tmp_path / FOLDER).iterdir())) == 2
    monkeypatch.setattr("sensor2sensor.evaluation.kept._made_by", lambda: {"metrics_version": "99"})
    assert run(place, tmp_path, fitted=[1.0, 2.0])[1] == 2


@pytest.mark.parametrize("damage", ["cut", "digit", "infinite", "foreign"])
def test_a_damaged_or_foreign_file_is_computed_anew_with_a_line(place, tmp_path, damage, caplog):
    plain = run(place, tmp_path)[0]
    path = next((tmp_path / FOLDER).iterdir())
    text = path.read_text()
    value = repr(plain[0].values["rmse"])
    assert value in text
    if damage == "cut":
        path.write_text(text[: len(text) // 2])
    elif damage == "digit":
        path.write_text(text.replace(value, "0.5", 1))
    elif damage == "infinite":
        path.write_text(text.replace(f'"{value}"', "Infinity", 1))
    else:
        files.write_json(path, {"scores": 1})
    with caplog.at_level(logging.WARNING):
        again = run(place, tmp_path)
    same(plain, again[0])
    assert again[1] == 2 and "computed anew" in caplog.text and path.name in caplog.text
    assert path.read_text() == text


def test_undefined_and_perfect_values_survive(place, tmp_path):
    kept = Kept(tmp_path, {"split": "test"})
    predictor = baselines(*place)["bicubic"]
    values = {"psnr": math.inf, "cc": math.nan, "rmse": 0.1 + 0.2}
    kept.look({"bicubic": predictor}, ["a"])
    kept.add("bicubic", ["a"], [([values], ["perfect"])])
    kept.write()
    assert json.loads(next(tmp_path.iterdir()).read_text())["scores"][0][2]["psnr"] == "inf"
    other = Kept(tmp_path, {"split": "test"})
    other.look({"bicubic": predictor}, ["a"])
    ((scores, states),) = other.of("bicubic", 1)
    assert states == ["perfect"] and repr(scores[0]) == repr(values)


def test_profiles_that_look_at_predictions_keep_nothing(tmp_path):
    assert Kept.scores(tmp_path, "torchsisr", {}) is NOTHING
    assert Kept.scores(tmp_path, "trust", {}) is NOTHING
