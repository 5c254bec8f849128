"""evaluate.py --profile dsen2cr, as a user runs it: a model and the input beside each other."""

from __future__ import annotations

import json

import pytest

import evaluate
import train
from sensor2sensor import report
from sensor2sensor.report import terminal
from tests.fakes_clouds import make_clouds
from tests.fakes_dataset import make_dataset
from tests.scripts.test_evaluate import call, evaluations, write_experiment

pytestmark = pytest.mark.slow

NOTHING = {"model_name": "do_nothing", "dataset": "clouds_toy", "tilesize": 64}
EDSR = {
    **NOTHING, "model_name": "edsr", "steps": 2, "batch_size": 2,
    "params": {"width": 0.0625, "blocks": 1}, "seed": 1, "gen_loss": {"gen_l1": 1}, "disc_loss": {},
}  # fmt: skip
OTHER = {"model_name": "bicubic", "dataset": "alt6_toy", "tilesize": 64}
STAMP = "0101-0000"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("clouds")
    make_clouds(root / "data", side_px=64)
    make_dataset(root / "data", train=2, val=1, test=1)
    (root / "environment.json").write_text("{}")
    for name, content in (("a/nothing", NOTHING), ("a/edsr", EDSR), ("a/other", OTHER)):
        write_experiment(root, name, content)
        done = call(root, train, "--exp", name, "--timestamp", STAMP)
        assert done.returncode == 0, done.stderr[-2000:]
    for name, split in (("a/nothing", "test"), ("a/edsr", "test"), ("a/edsr", "val")):
        done = call(root, evaluate, "--exp", name, "--profile", "dsen2cr", "--split", split)
        assert done.returncode == 0, done.stderr[-2000:]
    return root


def facts(root, name, profile):
    (path,) = evaluations(root).glob(f"{name}_{STAMP}{profile}.json")
    return json.loads(path.read_text())


def test_a_model_and_the_input_are_scored_beside_each_other(made):
    copy, model = facts(made, "a__nothing", "_dsen2cr"), facts(made, "a__edsr", "_dsen2cr")
    assert copy["strata"]["reproduction"]["by_definition"] == ["model"]
    assert model["strata"]["reproduction"]["by_definition"] == ["do_nothing"]
    assert model["reference"] == "do_nothing" and copy["reference"] == "mean_colour"
    beside, own = model["pooled"]["scores"]["do_nothing"], copy["pooled"]["scores"]["model"]
    assert beside == own and own["psnr@reproduction"] is None and own["mae@clear"] > 0
    assert model["pooled"]["counts"] == copy["pooled"]["counts"]
    assert len(model["gallery"]) >= 1


def test_validation_tiles_are_scored_alike(made):
    found = facts(made, "a__edsr", "_dsen2cr_val")
    # One of the two is clear.
    assert found["split"] == "val" and found["strata"]["reconstruction"]["tiles"] == 1
    assert found["summary"]["model"]["mae@reconstruction"]["undefined"] == 0


def test_without_the_option_the_profile_is_standard(made):
    plain = facts(made, "a__edsr", "")
    assert plain["profile"] == "standard" and "pooled" not in plain
    assert list(plain["strata"]) == ["covered", "clear"]
    assert set(plain["strata"]["clear"]) == {
        "extra", "values", "pixels", "tiles", "columns", "sam_left_out", "windows",
    }  # fmt: skip


def test_the_report_holds_both_profiles_apart(made, capsys):
    results = report.load(evaluations(made))
    assert not results.skipped
    both = [group for group in results.groups if group.facts.profile == "dsen2cr"]
    assert [(g.facts.split, len(g.results)) for g in both] == [("test", 2), ("val", 1)]
    assert terminal.main(["--evaluation", str(evaluations(made))]) == 0
    assert "a/nothing = do_nothing" in capsys.readouterr().out


def test_a_data_set_without_clouds_is_refused_before_anything_is_restored(made):
    done = call(made, evaluate, "--exp", "a/other", "--profile", "dsen2cr")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "profile 'dsen2cr' cannot score this data set: no mask" in line
    assert "'covered' and 'clear'" in line and "another --profile" in line
