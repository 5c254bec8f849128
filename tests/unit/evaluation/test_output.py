"""Files of an evaluation: what they hold, and that the JSON vouches for the table."""

from __future__ import annotations

import csv
import io
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.vocabulary import METRICS
from sensor2sensor.core import files
from sensor2sensor.core.errors import OutputExistsError
from sensor2sensor.evaluation import gallery
from sensor2sensor.evaluation.definitions import definitions
from sensor2sensor.evaluation.gallery import picks, write_gallery
from sensor2sensor.evaluation.output import Inference, stem, write
from sensor2sensor.evaluation.run import Evaluation, TileScores, evaluate
from sensor2sensor.evaluation.session import Session
from sensor2sensor.evaluation.tables import show
from sensor2sensor.metrics import profile_metrics
from sensor2sensor.report import load
from tests.unit.evaluation import toys


@pytest.fixture(scope="module")
def evaluation():
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    return evaluate(predictors, *toys.dataset())


def written(evaluation, folder, **changes):
    baselines = {"nearest": toys.noisy(0.05)}
    contract = toys.dataset()[1]
    return write(evaluation, folder, toys.subject(**changes), contract, baselines=baselines)


def test_the_table_has_a_row_per_tile_and_method(evaluation, tmp_path):
    table, facts = written(evaluation, tmp_path)
    assert table.name == "sis2__alt6__l1_0715-0930.csv" and facts.suffix == ".json"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["name", "scene", "split", "method", *profile_metrics("standard")]
    assert len(rows) == 10
    for row, score in zip(rows, evaluation.rows, strict=True):
        assert float(row["hpsi"]) == score.values["hpsi"]  # every digit kept


def test_the_json_says_what_the_numbers_mean(evaluation, tmp_path):
    _, facts = written(evaluation, tmp_path)
    content = json.loads(facts.read_text())
    assert content["step"] == 300 and content["profile"] == "standard"
    assert content["metrics"]["ergas"]["better"] == "lower"
    assert content["dataset"]["factor"] == 6.0
    assert set(content["dataset"]["value_ranges"]) == {"B02", "B03", "B04"}
    assert content["dataset"]["split_policy"]["ground_shared"]["test"] == 0.0
    assert content["reference"] == "nearest"
    assert content["baselines"]["nearest"] == {"method": "made up"}
    assert "set" not in content and "published" not in content
    _, facts = written(evaluation, tmp_path / "set", options=("batch_size=4",))
    assert json.loads(facts.read_text())["set"] == ["batch_size=4"]


def test_the_report_reads_what_is_written(evaluation, tmp_path):
    written(evaluation, tmp_path)
    results = load(tmp_path)
    assert not results.skipped and len(results.results) == 1
    values = results.results[0].table.query("method == 'model'")["ssim"]
    np.testing.assert_array_equal(values, evaluation.values("model", "ssim"))


def test_writing_again_changes_no_byte(evaluation, tmp_path):
    before = [path.read_bytes() for path in written(evaluation, tmp_path)]
    assert before == [path.read_bytes() for path in written(evaluation, tmp_path)]


def test_an_interrupted_evaluation_is_skipped_with_a_reason(evaluation, tmp_path):
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(2):
        written(evaluation, tmp_path)
    results = load(tmp_path)
    assert not results.results
    assert "no .json beside it" in results.skipped[0].reason


def test_other_profiles_have_files_of_their_own():
    assert stem(toys.subject(), "arisgan") == "sis2__alt6__l1_0715-0930_arisgan"
    assert definitions("arisgan", ("sam",))["sam"]["unit"] == "radians"
    assert definitions("standard", ("sam",))["sam"]["unit"] == "degrees"


def test_an_experiment_of_the_same_file_names_is_refused_before_it_is_scored(evaluation, tmp_path):
    """``x/y__z`` and ``x__y/z``, whose runs began in one minute."""
    place = toys.dataset()

    def session(name, **options):
        experiment = SimpleNamespace(
            name=name, dataset_dir=place[0], contract=place[1], excluded=Excluded(), SEED=0,
            environment=SimpleNamespace(evaluation_dir=tmp_path, lpips_weights=None),
            run=SimpleNamespace(resolved=None),
            config=ExperimentFile(model_name="bicubic", dataset="d"),
        )  # fmt: skip
        return Session(experiment, "0715-0930", 0, "standard", "none", baseline=True, **options)

    def predict(tiles):
        raise InterruptedError("scored")

    written(evaluation, tmp_path, experiment="x/y__z", baseline=True)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputExistsError) as refused:
        session("x__y/z").score(toys.Made(predict))
    told = str(refused.value)
    assert "'x/y__z'" in told and "'x__y/z'" in told and "move x__y__z_0715-0930* to" in told
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kept
    for free in (session("x/y__z"), session("x__y/z", split="val"), session("x/y/z2")):
        with pytest.raises(InterruptedError):  # its own again, and names of their own
            free.score(toys.Made(predict))


def test_the_printed_title_says_that_training_had_aligned_inputs(tmp_path):
    place = toys.dataset()

    def title(aligned):
        spec = place[1].input.model_copy(update={"aligned": aligned})
        experiment = SimpleNamespace(
            name="t/cs", dataset_dir=place[0], excluded=Excluded(), SEED=0,
            contract=place[1].model_copy(update={"input": spec}),
            normaliser=SimpleNamespace(bounds=None),
            environment=SimpleNamespace(evaluation_dir=tmp_path, lpips_weights=None),
            run=SimpleNamespace(resolved=None),
            config=ExperimentFile(model_name="bicubic", dataset="d"),
        )  # fmt: skip
        console = Console(file=io.StringIO(), width=160)
        session = Session(experiment, "0715-0930", 0, "standard", "none", baseline=True)
        session.score(toys.noisy(0.05), console)
        return " ".join(console.file.getvalue().split())

    assert "t/cs at step 0, d, trained with input aligned with the target (train)" in title(
        ("train",)
    )
    plain = title(())
    assert "t/cs at step 0, d ┏" in plain and "aligned" not in plain


def test_the_name_of_a_mode_has_one_spelling_and_the_batch_that_its_moments_are_of():
    def named(*options, batch_size=2, statistics="batch", **changes):
        inference = Inference(False, 1, "batch", batch_size)
        changes |= {"inference": inference, "inference_statistics": statistics}
        asked = toys.subject(options=options, **changes)
        return stem(asked, "standard").removeprefix("sis2__alt6__l1_0715-0930_")

    both = "inference.dropout=true", "inference.norm=batch"
    assert named(*both) == named(*reversed(both)) == "dropout-true_norm-batch"
    assert named("inference.norm=moving", ' inference.norm = "batch"') == "norm-batch"
    assert named(*both, "batch_size=8") == "dropout-true_norm-batch_batch_size-8"
    assert named("batch_size=8") == "batch_size-8"
    assert named(both[0], "batch_size=8", statistics="train") == "dropout-true"
    ends = named(*both, "batch_size=4", named_step=7)
    assert ends == "dropout-true_norm-batch_batch_size-4_step-7"


def test_missing_and_infinite_values_survive_the_files(tmp_path):
    values = dict.fromkeys(METRICS, 0.5)
    states = [("perfect", {"psnr": math.inf}), ("constant_target", {"cc": math.nan})]
    rows = tuple(
        TileScores(f"t{i}", "inv/0", "b", "test", "model", values | odd, state)
        for i, (state, odd) in enumerate(states)
    )
    table, _ = written(
        Evaluation(rows, ("model",), tuple(METRICS), "standard", "test", 0), tmp_path
    )
    read = load(tmp_path).results[0].table
    assert read["psnr"].tolist() == [math.inf, 0.5]
    assert math.isnan(read["cc"][1]) and table.is_file()


def test_the_printed_tables_name_direction_and_ground(evaluation):
    console = Console(file=io.StringIO(), width=120)
    show(evaluation, toys.dataset()[1], "sis2/[v1]/l1 at step 300", console)
    text = console.file.getvalue()
    assert "PSNR ↑ [dB]" in text and "ERGAS ↓" in text and "sis2/[v1]/l1" in text
    assert "Evaluation Results" not in text
    assert "Gain of model over nearest" in text and "intervals over 5 scenes" in text
    assert "scenes are told apart by inventory and index" in text
    assert "0.0 % of the ground of 'test' is in 'train' too" in text
    for word in ("mean", "min", "max", "std"):
        assert word in text


def printed(evaluation):
    console = Console(file=io.StringIO(), width=160)
    show(evaluation, toys.dataset()[1], "x", console)
    return " ".join(console.file.getvalue().split())  # titles are wrapped


def made_up(scenes, broken=0):
    """40 tiles in 8 blocks: the model is far better, or NaN on the first ``broken`` tiles."""
    rows = []
    for method, level in (("model", 0.9), ("bicubic", 0.5)):
        for i in range(40):
            value = math.nan if method == "model" and i < broken else level + 0.001 * i
            place = (f"S2A_{i % scenes}", f"b{i % 8}")
            rows.append(TileScores(f"t{i}", *place, "test", method, {"ssim": value}, "ordinary"))
    return Evaluation(tuple(rows), ("model", "bicubic"), ("ssim",), "standard", "test", 0)


def test_the_printed_verdict_says_for_which_scenes_only():
    assert "better for these 3 scenes only" in printed(made_up(3))
    assert "better for this scene only" in printed(made_up(1))
    many = printed(made_up(5))
    assert "intervals over 8 blocks and 5 scenes" in many and "only" not in many


def test_a_model_that_is_nan_on_half_its_tiles_gets_no_verdict():
    text = printed(made_up(5, broken=20))
    assert "no verdict: finite on 20 of 40 tiles" in text
    assert "better " not in text.split("better on")[1]
    assert text.count("20 of 40") == 3  # summary, tiles of the gain, its verdict


def test_the_gallery_shows_best_median_and_worst(evaluation, tmp_path):
    folder, contract = toys.dataset()
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    shelf = tmp_path / "x_gallery"
    entries = write_gallery(evaluation, predictors, folder, contract, shelf)
    assert [entry["rank"] for entry in entries] == ["best", "median", "worst"]
    values = evaluation.values("model", "hpsi")
    ranked = sorted(range(5), key=lambda i: -values[i])
    names = [evaluation.of("model")[i].name for i in (ranked[0], ranked[2], ranked[4])]
    assert [entry["tile"] for entry in entries] == names
    for entry in entries:
        with Image.open(tmp_path / entry["file"]) as image:
            assert image.format == "PNG" and image.width > 3 * image.height


def test_the_gallery_shows_the_tiles_that_are_named_in_their_order(evaluation, tmp_path):
    folder, contract = toys.dataset()
    predictors = {"model": toys.noisy(0.01), "nearest": toys.noisy(0.05)}
    names = [row.name for row in evaluation.of("model")]
    asked = [names[3], "a tile of val", names[1], names[3]]
    shelf = tmp_path / "x_gallery"
    entries = write_gallery(evaluation, predictors, folder, contract, shelf, named=asked)
    assert [(e["rank"], e["tile"]) for e in entries] == [
        ("chosen-1", names[3]), ("chosen-2", names[1]),
    ]  # fmt: skip
    value = evaluation.of("model")[3].values["hpsi"]
    assert f"model {value:.3f}" in entries[0]["caption"]
    assert sorted(path.name for path in shelf.iterdir()) == ["chosen-1.png", "chosen-2.png"]
    # Where a split has none of them, as where none are named.
    assert picks(evaluation, ["a tile of val"]) == picks(evaluation)


@pytest.mark.parametrize(("limit", "wanted", "seen"), [
    (None, [3], [[2, 3]]), (None, [4, 0], [[0, 1], [4]]), (3, [2, 0], [[0, 1], [2]]),
])  # fmt: skip
def test_the_gallery_shows_what_was_scored_where_neighbours_matter(
    tmp_path, monkeypatch, limit, wanted, seen
):
    folder, contract = toys.dataset()
    calls, drawn = [], []

    @toys.Made
    def model(tiles):
        calls.append([tile.name for tile in tiles])
        images = toys.noisy(0.01)(tiles)
        return images + images.mean(axis=0)

    scored = evaluate({"model": model}, folder, contract, batch_size=2, limit=limit)
    names = [row.name for row in scored.of("model")]
    assert calls == [names[start : start + 2] for start in range(0, len(names), 2)]
    calls.clear()
    monkeypatch.setattr(gallery, "_sheet", lambda panels, title: drawn.append(panels) or b"png")
    asked = [names[place] for place in wanted]
    entries = write_gallery(
        scored, {"model": model}, folder, contract, tmp_path / "x_gallery", named=asked
    )
    assert [entry["tile"] for entry in entries] == asked
    assert calls == [[names[place] for place in batch] for batch in seen]
    errors = [panels.errors["error of model"].mean() for panels in drawn]
    values = [scored.of("model")[place].values["l1"] for place in sorted(wanted)]
    np.testing.assert_allclose(errors, values, rtol=1e-5)


def test_a_caption_says_how_many_tiles_were_ranked(tmp_path):
    @toys.Made
    def odd(tiles):
        images = toys.noisy(0.01)(tiles)
        images[[tile.name.startswith("inv_toy__00008") for tile in tiles]] = np.nan
        return images

    folder, contract = toys.dataset()
    scored = evaluate({"model": odd}, folder, contract)
    entries = write_gallery(scored, {"model": odd}, folder, contract, tmp_path / "x_gallery")
    assert entries[0]["caption"].startswith("best among 4 of 5 tiles by ")


def test_tiles_without_a_value_are_not_picked():
    values = [{"hpsi": v, "ssim": 1.0, "rmse": 1.0} for v in (math.nan, 0.3, 0.9)]
    rows = tuple(
        TileScores(f"t{i}", "s", "b", "test", "model", v, "ordinary") for i, v in enumerate(values)
    )
    chosen = picks(Evaluation(rows, ("model",), ("hpsi", "ssim"), "standard", "test", 0))
    assert {(pick.rank, pick.name) for pick in chosen} == {("best", "t2"), ("median", "t1")}
