"""``runs prune`` and patterns: what an experiment or a run needs stays, whatever way it says so."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.report.runs import listing
from sensor2sensor.report.runs.found import find_runs
from sensor2sensor.report.runs.listing import chosen
from sensor2sensor.report.runs.page import page
from sensor2sensor.report.runs.prune import examined
from tests.unit.report.made_runs import make_run


def kept(root):
    """Why each failed run stays, by its name; empty: it would go."""
    found = find_runs(root, root / "_evaluation")
    asked = chosen(found, (), None, ["failed"], root)
    return {one.seen.name: one.kept for one in examined(asked, found, root, {})}


def say(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_an_experiment_names_stays_however_it_says_so(tmp_path):
    root = tmp_path / "logs" / "p2" / "experiments"  # below a folder called logs
    for name in ("plain", "common", "umlaut-ü", "below", "linked", "pathed", "other", "1900-2000"):
        make_run(root, name, "0101-0000", "failed")
    say(root / "e1/experiment.json", {"pretrained_generator": "plain/0101-0000"})
    say(root / "common.json", {"pretrained_generator": "common"})
    say(root / "e2/experiment.json", {"extends": "../common.json"})
    say(root / "e3/experiment.json", {"pretrained_generator": "umlaut-ü/0101-0000"})
    say(root / "samples/e4/experiment.json", {"registration": {"run": "below/0101-0000"}})
    say(tmp_path / "far/experiment.json", '{ // far\n"pretrained_generator": "linked/0101-0000"}')
    (root / "e5").symlink_to(tmp_path / "far")
    named = {"params": {"teacher": "experiments/pathed/0101-0000", "years": "1900-2000"}}
    say(root / "e6/experiment.json", named)
    assert kept(root) == {
        "plain/0101-0000": "e1/experiment.json names it",
        "common/0101-0000": "e2/experiment.json names it",
        "umlaut-ü/0101-0000": "e3/experiment.json names it",
        "below/0101-0000": "samples/e4/experiment.json names it",
        "linked/0101-0000": "e5/experiment.json names it",
        "pathed/0101-0000": "e6/experiment.json names it",
        "1900-2000/0101-0000": "e6/experiment.json names it",
        "other/0101-0000": "",
    }


@pytest.mark.parametrize("damage", ["dangling", "folder", "cut", "run"])
def test_what_cannot_be_read_may_name_any_run(tmp_path, damage):
    make_run(tmp_path, "a", "0101-0000", "failed")
    broken = tmp_path / "old" / "experiment.json"
    broken.parent.mkdir()
    if damage == "dangling":
        broken.symlink_to(tmp_path / "nowhere")
    elif damage == "folder":
        broken.mkdir()
    elif damage == "cut":
        broken.write_text('{"pretrained_generator": "a/0101-')
    else:
        make_run(tmp_path, "old").run_json.write_text('{"exp": "old", "pretr')
    (why,) = kept(tmp_path).values()
    assert "old/" in why and "cannot be read, so what it" in why


def test_what_a_run_began_with_stays_where_the_root_was_moved(tmp_path):
    root = tmp_path / "experiments"
    make_run(root, "base", "0101-0000", "failed")
    make_run(root, "base", "0101-0001", "failed")
    begun = {"experiment": str(root / "base"), "timestamp": "0101-0000"}
    make_run(root, "child", "0102-0000", pretrained_generator=begun)
    assert kept(root)["base/0101-0000"] == "child/0102-0000 began with it"
    shutil.move(root, tmp_path / "moved")
    found = kept(tmp_path / "moved")
    assert "child/0102-0000 began with a run of that name" in found["base/0101-0000"]
    assert found["base/0101-0001"] == ""


def test_a_pattern_means_what_it_means_to_train(tmp_path):
    for name in ("run1", "run[1]", "sw/a", "sw/deep/er/b"):
        make_run(tmp_path, name)
    (tmp_path / "run[2]").mkdir()
    make_run(tmp_path, "run2")
    found = find_runs(tmp_path, tmp_path / "_evaluation")

    def names(pattern):
        return {seen.experiment for seen in chosen(found, [pattern], None, (), tmp_path)}

    assert names("run[1]") == {"run[1]"}
    assert names("run[12]") == {"run1", "run2"}
    assert names("sw/*") == {"sw/a"}
    assert names("sw/**") == names("sw") == {"sw/a", "sw/deep/er/b"}
    assert names("**/b") == {"sw/deep/er/b"}
    with pytest.raises(InputError, match=r"no run of an experiment 'run\[2\]'"):
        names("run[2]")  # it is there, has no run, and run2 is not meant


def test_what_training_warned_of_is_told(tmp_path):
    told = {"sign": "constant", "step": 40, "text": "the output is constant", "see": "docs/t.md#c"}
    make_run(tmp_path, "a", warnings=[told, {"step": "x"}, 7])
    make_run(tmp_path, "b", warnings="what")
    one, two = find_runs(tmp_path, tmp_path / "_evaluation")
    sentence = "step 40: the output is constant; see docs/t.md#c"
    assert (one.warnings, two.warnings, two.state) == ((sentence,), (), "done")
    now = datetime(2026, 7, 16, tzinfo=UTC)
    assert listing.cells(one, now)[-1] == sentence and sentence in page([one], tmp_path, now)
    assert listing.as_json(one)["warnings"] == [sentence]
    assert listing.counted([one, two]) == "2 runs: 2 done, 1 with warnings"
