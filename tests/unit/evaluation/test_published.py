"""Profile pix2pix-maps from predictors to the files: its table, its keys, its columns."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from sensor2sensor.config.vocabulary import MAPS_TABLE
from sensor2sensor.evaluation.gallery import write_gallery
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.published import moments, published
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.tables import show
from sensor2sensor.report import load
from tests.unit.evaluation import toys


@pytest.fixture(scope="module")
def evaluation():
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    return evaluate(predictors, *toys.dataset(), profile="pix2pix-maps")


def shown(evaluation):
    console = Console(file=io.StringIO(), width=120)
    show(evaluation, toys.dataset()[1], "maps/t7 at step 300", console)
    return console.file.getvalue()


def test_files_hold_the_published_keys_and_a_column_for_each_metric(evaluation, tmp_path):
    folder, contract = toys.dataset()
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    gallery = write_gallery(evaluation, predictors, folder, contract, tmp_path / "x_gallery")
    place = (tmp_path, toys.subject(), contract)
    table, facts = write(evaluation, *place, baselines={"nearest": predictors["nearest"]},
                         gallery=gallery)  # fmt: skip
    assert table.name.endswith("_pix2pix-maps.csv")
    with table.open(newline="") as stream:
        assert next(csv.reader(stream)) == ["name", "scene", "split", "method", *MAPS_TABLE]
    content = json.loads(facts.read_text())
    keys = [f"{name}_{head}" for name in ("ssim", "psnr", "l1", "hp_l1")
            for head in ("mean", "min", "max", "std")]  # fmt: skip
    assert list(content["published"]) == keys
    values = np.array(evaluation.values("model", "hp_l1_compat"))
    assert content["published"]["hp_l1_mean"] == pytest.approx(values.mean())
    assert content["published"]["hp_l1_std"] == pytest.approx(np.sqrt(values.var()))
    assert content["published"]["ssim_max"] == max(evaluation.values("model", "ssim_compat"))
    summary = content["summary"]["model"]["hp_l1_compat"]
    assert summary["std"] == pytest.approx(values.std(ddof=1)) and summary["count"] == 5
    (read,) = load(tmp_path).results
    assert list(read.facts.metrics) == list(MAPS_TABLE)
    np.testing.assert_array_equal(read.table["ssim_compat"][:5].array,
                                  evaluation.values("model", "ssim_compat"))  # fmt: skip


def test_the_printed_table_is_the_published_one_with_rows_beside(evaluation):
    text = shown(evaluation)
    lines = text.splitlines()
    assert lines[0].strip() == "Evaluation Results"
    assert [word.strip() for word in lines[2].strip("┃").split("┃")] == [
        "Metric", "Mean", "Min", "Max", "Std",
    ]  # fmt: skip
    values = np.array(evaluation.values("model", "l1_compat"))
    four = (f"{x:.4f}" for x in (values.mean(), values.min(), values.max(), values.std()))
    (row,) = (line for line in lines[:12] if "L1 on [-1, 1]" in line)
    assert [word.strip() for word in row.strip("│").split("│")] == ["L1 on [-1, 1]", *four]
    for label in ("SSIM on [-1, 1]", "SSIM on [0, 1]", "HP-L1 as published", "Laplacian L1"):
        assert sum(label in line for line in lines[:12]) == 1
    assert "maps/t7 at step 300" in text and "Gain of model over nearest" in text


def test_a_perfect_image_is_no_mean_and_nothing_finite_is_a_dash(evaluation):
    def with_psnr(*values):
        model = [replace(row, values={**row.values, "psnr": psnr})
                 for row, psnr in zip(evaluation.of("model"), values, strict=True)]  # fmt: skip
        return replace(evaluation, rows=(*model, *evaluation.of("nearest")))

    some = with_psnr(10.0, 20.0, math.inf, math.inf, math.inf)
    assert moments(some, "psnr") == {"mean": 15.0, "min": 10.0, "max": 20.0, "std": 5.0}
    none = with_psnr(*[math.inf] * 5)
    assert published(none)["psnr_mean"] is None
    assert "–" in next(line for line in shown(none).splitlines()[:12] if "PSNR" in line)
