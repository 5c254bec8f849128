"""The five-seed comparison: its statistics against closed forms, its page against its results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from benchmarks import seeds, seeds_table, trainings
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.core import files

ROOT = Path(__file__).resolve().parents[2]
T_THREE = 3.182446305284263  # Student's t, 97.5 %, three degrees of freedom (any printed table)
METRICS = {
    "up": {"label": "Up", "better": "higher", "unit": "1"},
    "down": {"label": "Down", "better": "lower", "unit": "m"},
}


def tiles_of(models: dict, bicubic: dict) -> dict:
    names = ["a", "b", "c", "d"]
    return {
        "names": names,
        "blocks": dict(zip(names, ("north", "west", "south", "east"), strict=True)),
        "scenes": dict.fromkeys(names, "S2A_20221005T115411"),
        "baselines": {"bicubic": bicubic},
        "models": models,
    }


def two_seeds() -> dict:
    bicubic = {"up": [1.0, 1.0, 1.0, 1.0], "down": [5.0, 5.0, 5.0, 5.0]}
    net = {
        "0": {"up": [2.0, 2.0, 3.0, 3.0], "down": [5.0, 5.0, 7.0, 7.0]},
        "1": {"up": [2.0, 2.0, 5.0, 5.0], "down": [4.0, 4.0, 6.0, 6.0]},
    }
    return tiles_of({"net": net}, bicubic)


def results_of(tiles: dict) -> dict:
    return {
        "metrics": METRICS,
        "settings": {"net": {"steps": 7, "batch_size": 2}},
        "tiles": tiles,
        "results": seeds_table.aggregate(tiles, METRICS),
    }


def test_mean_and_spread_are_over_seeds() -> None:
    row = seeds_table.aggregate(two_seeds(), METRICS)["models"]["net"]["up"]
    assert row["seeds"] == [2.5, 3.5]
    assert row["mean"] == 3.0
    assert row["std"] == pytest.approx(math.sqrt(0.5))


def test_interval_is_students_t_over_blocks_of_the_mean_over_seeds() -> None:
    item = seeds_table.aggregate(two_seeds(), METRICS)["models"]["net"]["up"]["gain"]["bicubic"]
    # Averaged over seeds the four blocks gain 1, 1, 3 and 3: mean 2, standard error sqrt(1/3).
    assert (item["mean"], item["over"], item["note"]) == (2.0, "4 blocks", "for this scene only")
    assert item["t_low"] == pytest.approx(2.0 - T_THREE / math.sqrt(3))
    assert item["t_high"] == pytest.approx(2.0 + T_THREE / math.sqrt(3))
    assert item["verdict"] == "wins"


def test_table_and_words_say_for_which_scenes_only() -> None:
    text = seeds_table.render(results_of(two_seeds()))
    assert "intervals over 4 blocks, for this scene only:" in text
    head = next(line for line in text.splitlines() if line.startswith("| metric"))
    assert head.count("verdict for this scene only") == 1
    tiles = two_seeds()
    tiles["scenes"] = dict(zip(tiles["names"], "stuv", strict=True))
    assert "only" not in seeds_table.render(results_of(tiles))


def test_three_blocks_give_no_interval_and_no_verdict() -> None:
    tiles = two_seeds()
    tiles["blocks"]["d"] = "south"
    text = seeds_table.render(results_of(tiles))
    assert "- `net` has no verdict on every metric." in text
    assert "| +2 | 2/2 | – no verdict below 4 blocks (3 here) |" in text


def test_gain_is_positive_where_lower_is_better_and_the_model_is_lower() -> None:
    item = seeds_table.aggregate(two_seeds(), METRICS)["models"]["net"]["down"]["gain"]["bicubic"]
    assert item["seeds"] == [-1.0, 0.0]
    assert item["mean"] == -0.5
    assert item["seeds_better"] == 0


def test_tile_without_a_value_in_one_seed_leaves_no_verdict() -> None:
    tiles = two_seeds()
    tiles["models"]["net"]["1"]["up"][0] = None
    row = seeds_table.aggregate(tiles, METRICS)["models"]["net"]["up"]
    item = row["gain"]["bicubic"]
    assert (item["count"], item["left_out"]) == (3, 1)
    assert item["mean"] == pytest.approx((1 + 3 + 3) / 3)
    assert row["seeds"][1] == pytest.approx((2 + 5 + 5) / 3)
    assert (item["verdict"], item["t_low"]) == ("–", None)
    text = seeds_table.render(results_of(tiles))
    assert "3 of 4 tiles | 2/2 | – no verdict: finite on 3 of 4 tiles |" in text


def test_tile_without_a_value_for_anyone_changes_no_verdict() -> None:
    tiles = two_seeds()
    columns = [tiles["baselines"]["bicubic"], *tiles["models"]["net"].values()]
    for column in columns:
        column["up"].append(None)
        column["down"].append(1.0)
    for key, name in (("blocks", "east"), ("scenes", "S2A_20221005T115411")):
        tiles[key]["e"] = name
    tiles["names"].append("e")
    item = seeds_table.aggregate(tiles, METRICS)["models"]["net"]["up"]["gain"]["bicubic"]
    assert (item["count"], item["left_out"], item["verdict"]) == (4, 1, "wins")


def test_a_loss_is_named_in_words_and_marked_in_the_table() -> None:
    bicubic = {"up": [1.0, 1.0, 1.0, 1.0], "down": [5.0, 5.0, 5.0, 5.0]}
    run = {"up": [0.5, 0.5, 0.51, 0.51], "down": [4.0, 4.0, 4.1, 4.1]}
    text = seeds_table.render(results_of(tiles_of({"net": {"0": run, "1": run}}, bicubic)))
    assert "- `net` wins on Down; **loses** on Up." in text
    rows = {line.split(" ")[1]: line for line in text.splitlines() if line.startswith("| ")}
    assert rows["Up"].endswith("| 0/2 | **loses** |")
    assert rows["Down"].endswith("| 2/2 | wins |")


def test_every_row_has_the_columns_of_the_heading() -> None:
    text = seeds_table.render(results_of(two_seeds()))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(METRICS)
    assert len({line.count("|") for line in table}) == 1


def test_part_is_put_between_the_markers_and_nowhere_else() -> None:
    page = f"top\n{seeds_table.BEGIN}\nold\n{seeds_table.END}\nbottom\n"
    once = seeds_table.insert(page, "new")
    assert once == f"top\n{seeds_table.BEGIN}\n\nnew\n\n{seeds_table.END}\nbottom\n"
    assert seeds_table.insert(once, "new") == once


@pytest.mark.parametrize("page", ["no marker", f"{seeds_table.END}\n{seeds_table.BEGIN}\n"])
def test_page_without_markers_in_order_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="must hold"):
        seeds_table.insert(page, "new")


def test_json_text_is_the_same_content() -> None:
    content = {"a": {"b": [1.5, None], "c": "é ] , ["}, "d": [], "e": True}
    text = seeds_table.json_text(content)
    assert json.loads(text) == content
    assert '    "b": [1.5, null],\n' in text
    with pytest.raises(ValueError, match="Out of range"):
        seeds_table.json_text({"a": [math.nan]})


@pytest.mark.parametrize("model", seeds.MODELS)
def test_only_the_seed_differs_between_runs(model: str) -> None:
    source = f"real/{model}_alt6"
    shipped = load_jsonc(ROOT / "examples" / "experiments" / source / "experiment.json").data
    first, other = (trainings.shipped(source, seed=seed) for seed in (0, 3))
    assert first == shipped
    assert {key for key in other if other[key] != first[key]} == {"seed"}


def test_the_models_see_the_same_pictures() -> None:
    contents = [trainings.shipped(f"real/{model}_alt6", seed=0) for model in seeds.MODELS]
    shared = ("dataset", "tilesize", "batch_size", "normalisation", "input_upsampling")
    assert all(content[key] == contents[0][key] for content in contents for key in shared)
    for content in contents[1:]:
        assert content["gen_loss"] == {"gen_gan": 1, "gen_l1": 100}
        assert content["params"] == {"width": 0.25, "bottleneck_norm": False, "base": "input"}


class FakeJob:
    """Stands for the doors: a training is a call that leaves an evaluation."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.trained: list[str] = []
        files.write_text(seeds.dataset_dir(work) / "dataset.json", "one")

    def announce(self, title: str) -> None:
        pass

    def door(self, title: str, door: str, *options: str) -> None:
        name = options[1]
        self.trained.append(name)
        evaluations = self.work / "experiments" / "_evaluation"
        stem = f"{name.replace('/', '__')}_0101-0000"
        files.write_json(evaluations / f"{stem}.json", {"timestamp": "0101-0000"})
        run = {"started": "2026", "git": {"commit": "c", "dirty": False}}
        files.write_json(self.work / "experiments" / name / "logs/0101-0000/run.json", run)


def test_finished_training_is_not_repeated(tmp_path: Path) -> None:
    job = FakeJob(tmp_path)
    first = seeds.train(job, "edsr", 3)
    assert seeds.train(job, "edsr", 3) == first
    assert job.trained == ["seeds/edsr/3"]
    content = files.read_json(tmp_path / "experiments/seeds/edsr/3/experiment.json")
    assert content == trainings.shipped("real/edsr_alt6", seed=3)
    assert first["cpu_minutes"] == 0.0  # nothing ran


def test_training_is_repeated_on_another_data_set_or_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = FakeJob(tmp_path)
    seeds.train(job, "edsr", 3)
    files.write_text(seeds.dataset_dir(tmp_path) / "dataset.json", "two")
    seeds.train(job, "edsr", 3)
    other = trainings.shipped("real/edsr_alt6", seed=3, steps=1)
    monkeypatch.setattr(seeds, "shipped", lambda source, seed: other)
    seeds.train(job, "edsr", 3)
    assert job.trained == ["seeds/edsr/3"] * 3


def test_training_killed_before_its_evaluation_is_repeated(tmp_path: Path) -> None:
    job = FakeJob(tmp_path)
    whole, job.door = job.door, lambda *words: (_ for _ in ()).throw(SystemExit(137))
    with pytest.raises(SystemExit):
        seeds.train(job, "edsr", 0)
    job.door = whole
    seeds.train(job, "edsr", 0)
    assert job.trained == ["seeds/edsr/0"]


def read(bicubic: list) -> dict:
    return {
        "model": {"name": ["a"], "up": [2.0]},
        "bicubic": {"name": ["a"], "up": bicubic},
    }


def test_runs_that_differ_in_a_baseline_are_not_merged() -> None:
    merged = trainings.merge({("net", 0): read([1.0]), ("net", 1): read([1.0])})
    assert merged["baselines"] == {"bicubic": {"up": [1.0]}}
    assert merged["models"] == {"net": {"0": {"up": [2.0]}, "1": {"up": [2.0]}}}
    with pytest.raises(ValueError, match="differ in a baseline"):
        trainings.merge({("net", 0): read([1.0]), ("net", 1): read([1.1])})


@pytest.fixture(scope="module")
def results() -> dict:
    return files.read_json(seeds.RESULTS)


def test_page_shows_the_results(results: dict) -> None:
    page = seeds.PAGE.read_text(encoding="utf-8")
    assert seeds_table.insert(page, seeds_table.render(results)) == page


def test_results_follow_from_the_values_of_the_tiles(results: dict) -> None:
    again = json.loads(json.dumps(seeds_table.aggregate(results["tiles"], results["metrics"])))
    for method, row in results["results"]["baselines"].items():
        assert row == pytest.approx(again["baselines"][method])
    for model, rows in results["results"]["models"].items():
        for name, row in rows.items():
            other = again["models"][model][name]
            assert row["seeds"] == pytest.approx(other["seeds"])
            for method, item in row["gain"].items():
                kept = ("mean", "t_low", "t_high", "seeds_better", "left_out")
                found = [other["gain"][method][key] for key in kept]
                assert [item[key] for key in kept] == pytest.approx(found)
                for key in ("verdict", "note", "over"):
                    assert item[key] == other["gain"][method][key]


def test_results_are_whole_and_of_the_shipped_experiments(results: dict) -> None:
    tiles = results["tiles"]
    assert set(tiles["models"]) == set(seeds.MODELS)
    for model, runs in tiles["models"].items():
        assert [int(seed) for seed in runs] == list(seeds.SEEDS)
        assert all(
            len(column) == len(tiles["names"]) for run in runs.values() for column in run.values()
        )
        shipped = trainings.shipped(f"real/{model}_alt6", seed=0)
        assert results["settings"][model] == {k: shipped[k] for k in seeds.SETTINGS if k in shipped}
    assert results["dataset"]["split_policy"]["ground_shared"] == {"val": 0.0, "test": 0.0}
    assert results["dataset"]["counts"]["test"] == len(tiles["names"])
