"""``exclude_tiles``: tiles that training, validation and evaluation leave out by name."""

from __future__ import annotations

import csv
import json
from collections import Counter

import pytest

import evaluate
import train
from experiment import Experiment
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.exclusion import Excluded
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.order import Epochs
from sensor2sensor.dataset.recordfile import list_records
from sensor2sensor.predictors.entries import TrainSplit
from sensor2sensor.report.load import load
from sensor2sensor.training import run_file
from sensor2sensor.training.batches import (
    reader_options,
    tiles_as_trained,
    train_batches,
    train_epochs,
    train_names,
    validation_batches,
)
from tests.evaluations import score_tables
from tests.fakes_dataset import make_dataset

STAMP = "0715-0930"


@pytest.fixture
def place(tmp_path):
    """A workplace with a data set and an experiment of the baseline that is fitted on train."""
    folder = make_dataset(tmp_path / "data", train=4, val=3, test=4)
    (tmp_path / "environment.json").write_text('{"data_root": "data", "experiment_root": "exp"}')
    (tmp_path / "exp" / "a").mkdir(parents=True)
    content = {"model_name": "bilinear_fit", "dataset": "alt6_toy", "tilesize": 64}
    content |= {"batch_size": 2, "exclude_tiles": "../bad.txt"}
    (tmp_path / "exp" / "a" / "experiment.json").write_text(json.dumps(content))
    names = {s: [ref.name for ref in list_records(folder, s)] for s in ("train", "val", "test")}
    bad = [names["train"][1], names["val"][0], names["test"][2]]
    lines = ["# seen by eye", "", f"{bad[0]}  # a cloud", *bad[1:], f"{bad[0]}x"]
    (tmp_path / "exp" / "bad.txt").write_text("\n".join(lines))
    return tmp_path, names, bad


def _call(door, place, *words):
    environment = str(place / "environment.json")
    return main_guard(
        door.main, door.arguments(), ["--exp", "a", "--environment", environment, *words]
    )


def _tiles(place):
    (table,) = score_tables(place / "exp" / "_evaluation")
    with table.open(newline="") as stream:
        return {row["name"] for row in csv.DictReader(stream)}


def test_no_batch_and_no_fit_has_them(place):
    root, names, bad = place
    experiment = Experiment("a", load_environment(str(root / "environment.json")))
    assert experiment.excluded.names == {*bad, f"{bad[0]}x"}
    options = reader_options(experiment, experiment.environment)
    seen = set()
    for batch in train_batches(experiment, options, extras=()).take(6):
        seen |= set(train_names(experiment, options, batch["index"].numpy()))
    assert seen == set(names["train"]) - {bad[0]}
    for batches, split in ((validation_batches(experiment, options), "val"),
                           (tiles_as_trained(experiment), "train")):  # fmt: skip
        found = {name.decode() for batch in batches for name in batch["name"].numpy()}
        assert found == set(names[split]) - set(bad)
    fitted = TrainSplit(
        experiment.dataset_dir, experiment.contract, exclude_tiles=experiment.excluded.names
    )
    assert not fitted.whole and fitted.count() == 3 == len(list(fitted))


@pytest.mark.parametrize(("drawn", "tiles", "steps"), [("null", 3, 5), ("2", 2, 3)])
def test_an_epoch_is_of_the_tiles_that_are_left(place, drawn, tiles, steps):
    root, _, _ = place
    options = ["epochs=3", f"sample_train={drawn}"]
    experiment = Experiment("a", load_environment(str(root / "environment.json")), options=options)
    assert experiment.EPOCHS == Epochs(tiles, 2)
    assert experiment.STEPS == steps
    read = reader_options(experiment, experiment.environment)
    assert train_epochs(experiment, read) == experiment.EPOCHS
    seen = [n for b in train_batches(experiment, read, extras=()).take(tiles) for n in b["index"]]
    counts = Counter(train_names(experiment, read, [int(n) for n in seen]))
    assert len(counts) == tiles and set(counts.values()) == {2}  # two epochs


def test_a_tile_to_be_shown_that_is_left_out_is_refused_with_the_reason(place, capsys):
    root, _, bad = place
    for word in (f'["{bad[1]}"]', f'["{bad[2]}"]'):
        assert _call(train, root, "--check", "--set", f"sample_tiles={word}") == 2
        said = capsys.readouterr().err
        assert "is left out by exclude_tiles" in said and said.count("\n") == 1


def test_a_list_that_was_moved_is_the_same_list(place):
    root, _, _ = place
    environment = load_environment(str(root / "environment.json"))
    experiment = Experiment("a", environment, timestamp=STAMP)
    run_file.begin(experiment, steps=2, device="CPU", restored_from=None)
    (root / "exp" / "lists").mkdir()
    (root / "exp" / "bad.txt").rename(root / "exp" / "lists" / "bad.txt")
    text = (experiment.exp_dir / "experiment.json").read_text()
    (experiment.exp_dir / "experiment.json").write_text(text.replace("../bad", "../lists/bad"))
    run_file.refuse_changed(Experiment("a", environment, timestamp=STAMP))
    with (root / "exp" / "lists" / "bad.txt").open("a") as stream:
        stream.write("\nanother\n")
    with pytest.raises(ConfigError, match=r"exclude_tiles: .*bad\.txt names other tiles"):
        run_file.refuse_changed(Experiment("a", environment, timestamp=STAMP))


def test_a_run_keeps_the_names_and_is_scored_without_them(place, capsys):
    root, names, bad = place
    assert _call(train, root, "--timestamp", STAMP) == 0
    said = capsys.readouterr().out
    assert "exclude_tiles leaves out 1 train, 1 val, 1 test tiles" in said
    assert f"1 names of exclude_tiles are not in the data set: '{bad[0]}x' (nearest: '" in said
    assert "exclude_tiles leaves out 1 test tiles" in said
    logs = root / "exp" / "a" / "logs" / STAMP
    noted = json.loads((logs / "run.json").read_text())
    digest = Excluded(frozenset([*bad, f"{bad[0]}x"])).sha256
    listed = str(root / "exp" / "a" / "../bad.txt")
    assert noted["exclude_tiles"] == {"file": listed, "tiles": 4, "sha256": digest}
    assert noted["baseline"]["fitted_on"]["tiles"] == 3
    assert _tiles(root) == set(names["test"]) - set(bad)
    (facts,) = (root / "exp" / "_evaluation").glob("*.json")
    assert json.loads(facts.read_text())["filters"]["exclude_tiles"] == digest

    # Whatever becomes of the list, the run is scored as it was made and not gone on with.
    (root / "exp" / "bad.txt").write_text("".join(f"{name}\n" for name in names["test"]))
    assert _call(evaluate, root) == 0
    assert _tiles(root) == set(names["test"]) - set(bad)
    capsys.readouterr()
    assert _call(train, root, "--resume") == 2
    capsys.readouterr()
    (root / "exp" / "bad.txt").write_text(f"{names['test'][0]}\n")
    assert _call(train, root, "--resume") == 2
    assert "names other tiles" in capsys.readouterr().err


def test_results_on_other_tiles_stand_in_another_table(place):
    root, _, _ = place
    assert _call(train, root, "--timestamp", STAMP) == 0
    (root / "exp" / "bad.txt").write_text("# none\n")
    assert _call(train, root, "--timestamp", "0716-0930") == 0
    groups = load(root / "exp" / "_evaluation").groups
    assert len(groups) == 2
    assert sum("without the tiles of list" in group.title for group in groups) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read "),
        (b"\xff\xfe\x00", "it is no text"),
        ("all", "exclude_tiles 4 of them"),
    ],
)
def test_a_list_that_cannot_be_used_is_one_line(place, content, says, capsys):
    root, names, _ = place
    path = root / "exp" / "bad.txt"
    path.unlink()
    if content == "all":
        path.write_text("\n".join(names["train"]))
    elif content is not None:
        path.write_bytes(content)
    assert _call(train, root, "--check") == 2
    err = capsys.readouterr().err
    assert says in err and "exclude_tiles" in err and err.count("\n") == 1
