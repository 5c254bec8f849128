"""Evaluations of profile dsen2cr in the report: parts, pooled scores, masks that never meet."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sensor2sensor.config.vocabulary import CLOUD_TABLE
from sensor2sensor.core import files
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.predictors.registry import baselines
from sensor2sensor.report import compare, gains, load, pages, ranks, summary, terminal
from tests.fakes_clouds import make_clouds
from tests.unit.evaluation import toys

RUN, COPY = "clouds/carl", "clouds/nothing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Evaluations of a model and of the baseline that gives the input back."""
    root = tmp_path_factory.mktemp("report")
    data = make_clouds(root)
    contract = load_contract(data)
    known = baselines(data, contract)
    place = root / "_evaluation"
    scored = evaluate({"model": toys.noisy(0.02), **known}, data, contract, profile="dsen2cr")
    write(scored, place, toys.subject(experiment=RUN), contract, baselines=known)
    nothing = known.pop("do_nothing")
    itself = toys.subject(experiment=COPY, model_name="do_nothing", baseline=True)
    copied = evaluate({"model": nothing, **known}, data, contract, profile="dsen2cr")
    write(copied, place, itself, contract, baselines=known)
    return place, scored


@pytest.fixture(scope="module")
def group(folder):
    results = load(folder[0])
    assert not results.skipped
    (group,) = results.groups
    return group


def part(group, name):
    return next(one for one in group.strata if one.stratum == name)


def test_titles_tell_the_mask_and_the_parts_apart(group):
    assert (
        "profile 'dsen2cr', mask 'cloud_mask' by rule 'dsen2cr' with threshold 0.2" in group.title
    )
    assert [one.title.split(":")[0] for one in group.strata] == [
        "@reconstruction (prediction - truth where 'covered')",
        "@reproduction (prediction - input where 'clear')",
        "@clear (prediction - truth where 'clear')",
    ]


def test_the_tables_have_pooled_scores_beside_the_means(group, folder):
    table = compare.summary_table(group)
    cell = table.loc[RUN, "PSNR ↑\n(dB)"]
    mean = folder[1].summary["model"]["psnr"].mean
    pooled = folder[1].pooled.scores["model"]["psnr"]
    assert cell.startswith(f"{mean:.2f}\n±") and cell.endswith(f", pooled {pooled:.2f}")
    inside = compare.summary_table(part(group, "clear")).loc["mean_colour", "MAE ↓\n(reflectance)"]
    value = folder[1].pooled.scores["mean_colour"]["mae@clear"]
    assert inside.endswith(f", pooled {value:.4f}")


def test_nobody_is_ranked_or_marked_for_what_holds_by_definition(group):
    inside = part(group, "reproduction")
    copy = f"{COPY} = do_nothing"
    table = compare.summary_table(inside)
    assert set(table.loc[copy][: len(CLOUD_TABLE)]) == {"by definition"}
    assert "by definition" not in "".join(table.loc[RUN])
    places = compare.rank_table(inside)
    assert copy not in places.index and list(places["mean rank"]) == [1.0, 2.0]
    # The infinite PSNR of the copy makes no tile perfect for the others.
    assert compare.means(inside)["psnr@reproduction"].notna().all()
    marks = pages._best(inside, table)
    assert not marks.loc[copy].any() and marks.loc[RUN].any()
    assert copy in compare.rank_table(part(group, "clear")).index
    cells = compare.gain_table(inside).loc[RUN]
    assert all("no verdict: perfect by definition" in cell for cell in cells)
    assert "definition" not in "".join(compare.gain_table(part(group, "clear")).loc[RUN])


def test_pages_and_terminal_show_every_part(group, folder, capsys):
    results = load(folder[0])
    page = summary(results).body
    assert page.count("<table>") == 4 and page.count("by definition") >= len(CLOUD_TABLE)
    assert "Windows centred in" in page and "Windows wholly within" not in page
    assert "over all pixels at once" in page
    assert "no verdict: perfect by definition" in gains(results).body and ranks(results).body
    assert terminal.main(["--evaluation", str(folder[0])]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for mark in ("@reconstruction", "@reproduction", "@clear"):
        assert f"{mark} (prediction - " in text
    assert "pooled" in text and "by definition" in text


@pytest.mark.parametrize(("key", "value"), [("variant", "uncrtaints"), ("threshold", 0.3)])
def test_masks_of_another_rule_never_share_a_table(folder, tmp_path, key, value):
    for path in folder[0].glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (facts,) = tmp_path.glob("clouds__nothing*.json")
    content = json.loads(facts.read_text())
    for stratum in content["strata"].values():
        stratum[key] = value
    files.write_json(facts, content)
    groups = load(tmp_path).groups
    assert [len(one.results) for one in groups] == [1, 1]
    assert len({one.title for one in groups}) == 2


def test_an_evaluation_whose_mask_nobody_described_says_so(folder, tmp_path):
    scored = folder[1]
    bare = tuple(replace(one, variant="", threshold=None) for one in scored.strata)
    contract = load_contract(folder[0].parent / "clouds_toy" / "32")
    write(replace(scored, strata=bare), tmp_path, toys.subject(), contract, baselines={})
    (group,) = load(tmp_path).groups
    assert "mask 'cloud_mask' by a rule without a name, data set" in group.title
