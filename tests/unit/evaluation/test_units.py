"""What the contract says reaches the tables: variant of HPSI, units, and what is undefined."""

from __future__ import annotations

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from sensor2sensor.dataset.bands import float_band
from sensor2sensor.dataset.build import finish
from sensor2sensor.dataset.contract import TargetSpec, load_contract
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.tables import show
from sensor2sensor.report import compare, load
from tests import fakes_dataset as fakes
from tests.unit.evaluation import toys

PX, MARGIN = 32, fakes.MARGIN_PX


def made(root, units):
    """A data set of one band per unit; the upper quarter of every truth is zero."""
    draft = fakes.toy_contract("toy", "degraded", 4, PX, 0)
    count = len(units)
    bands = tuple(float_band(f"T{i}", unit, 500.0 + i) for i, unit in enumerate(units))
    changes = {
        "input": draft.input.model_copy(update={"bands": bands}),
        "target": TargetSpec(bands=bands, dtype="float32"),
        "statistics": {side: rows[:count] for side, rows in draft.statistics.items()},
    }
    draft, rows = draft.model_copy(update=changes), []
    for number, split in enumerate(("train", "train", "val", "test", "test")):
        wide = fakes.scene(np.random.default_rng(number), PX + 2 * MARGIN)[..., :count]
        wide[MARGIN : MARGIN + PX // 4] = 0.0
        target = wide[MARGIN:-MARGIN, MARGIN:-MARGIN]
        record = fakes._degraded(f"toy__{number:05d}", target, wide, 4)
        rows.append(fakes._write(root, draft, record, split, number))
    finish(root, draft, rows, provenance={})
    return root, load_contract(root)


def evaluated(root, units):
    folder, contract = made(root / "set", units)
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    found = evaluate(predictors, folder, contract)
    named = {"nearest": toys.noisy(0.05)}
    facts = write(found, root / "out", toys.subject(), contract, baselines=named)[1]
    console = Console(file=io.StringIO(), width=120)
    show(found, contract, "toy", console)
    group = load(root / "out").groups[0]
    return found, json.loads(facts.read_text()), console.file.getvalue(), group


def test_a_set_without_colours_has_the_mean_of_bands_and_says_so(tmp_path):
    found, content, printed, group = evaluated(tmp_path, ("K", "K"))
    assert found.metrics[0] == "hpsi_bands" and "hpsi" not in found.metrics
    assert "HPSI (mean of bands) ↑" in printed and "HPSI (colour)" not in printed
    assert content["metrics"]["rmse"]["unit"] == content["metrics"]["l1"]["unit"] == "K"
    assert "RMSE ↓ [K]" in printed and "reflectance" not in printed
    assert {"HPSI (mean of bands) ↑", "RMSE ↓\n(K)"} <= set(compare.summary_table(group).columns)


def test_several_units_are_called_mixed(tmp_path):
    printed = evaluated(tmp_path, ("reflectance", "K", "K"))[2]
    assert "L1 ↓ [mixed: reflectance, K]" in printed


def test_the_share_of_zero_truth_is_stored_and_printed(tmp_path):
    found, content, printed, _ = evaluated(tmp_path, ("K", "K"))
    assert found.sam_left_out == content["sam_left_out"] == pytest.approx(0.25)
    assert "SAM leaves out 25 % of the pixels: their truth is zero" in printed


def test_sam_of_one_band_is_shown_as_undefined_and_ranks_nobody(tmp_path):
    found, content, printed, group = evaluated(tmp_path, ("reflectance",))
    assert all(math.isnan(value) for value in found.values("model", "sam"))
    assert content["metrics"]["sam"]["undefined"] == "undefined for one band"
    assert content["summary"]["model"]["sam"]["mean"] is None
    assert "SAM ↓ [undefined for one band]" in printed
    assert "SAM ↓\n(undefined for one band)" in compare.summary_table(group).columns
    assert "SAM ↓" not in compare.rank_table(group).columns
    assert content["sam_left_out"] == 0.0 and "SAM leaves out" not in printed
