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
from sensor2sensor.report import (
    compare,
    gains,
    load,
    pages,
    published,
    ranks,
    summary,
    terminal,
)
from sensor2sensor.report.baselines import gained_over
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


TITLE = (
    "Pooled over all pixels, as published tables are; "
    "mask 'cloud_mask' by rule 'dsen2cr' with threshold 0.2"
)


def test_one_table_has_the_columns_of_the_literature_and_a_row_for_each_model(folder, capsys):
    (group,) = load(folder[0]).groups
    table = published.pooled_table(group)
    copy = f"{COPY} = do_nothing"
    assert list(table.index) == [entrant.label for entrant in compare.entrants(group)]
    assert {RUN, copy, "mean_colour"} == set(table.index)
    assert [" ".join(name.split()) for name in table.columns] == [
        "MAE target / reproduction / reconstruction",
        "RMSE",
        "PSNR (dB)",
        "SAM (degrees) target / reproduction / reconstruction",
        "SSIM",
    ]
    (facts,) = folder[0].glob("clouds__carl*.json")
    scores = json.loads(facts.read_text())["pooled"]["scores"]
    for label, method in ((RUN, "model"), ("mean_colour", "mean_colour")):
        mae, rmse, psnr, sam, ssim = table.loc[label]
        own = scores[method]
        marks = ("", "@reproduction", "@reconstruction")
        assert mae == " / ".join(f"{own[f'mae{mark}']:.4f}" for mark in marks)
        assert sam == " / ".join(f"{own[f'sam{mark}']:.2f}" for mark in marks)
        assert (rmse, psnr) == (f"{own['rmse']:.4f}", f"{own['psnr']:.2f}")
        assert ssim == f"{own['ssim']:.3f}"
    assert len(set(mae.split(" / "))) == 3  # of mean_colour: no part passes for another
    own = scores["do_nothing"]
    mae = f"{own['mae']:.4f} / by definition / {own['mae@reconstruction']:.4f}"
    assert table.loc[copy].iloc[0] == mae
    assert terminal.main(["--evaluation", str(folder[0])]) == 0
    text = capsys.readouterr().out
    shown = text[text.index(TITLE) :]
    assert shown.count("\n│") == len(table) == 3  # no line is broken
    for label, row in table.iterrows():
        line = next(one for one in shown.splitlines() if label in one)
        assert [cell.strip() for cell in line.strip("│").split("│")] == [label, *row]
    page = summary(load(folder[0])).body
    assert TITLE.replace("'", "&#x27;") in page and f"<td>{mae}</td>" in page


def test_a_missing_pooled_score_is_a_dash_and_other_profiles_have_no_such_table(
    folder, group, tmp_path
):
    for path in folder[0].glob("clouds__carl*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (facts,) = tmp_path.glob("*.json")
    content = json.loads(facts.read_text())
    scores = content["pooled"]["scores"]
    scores["model"] |= {"mae@reconstruction": None, "psnr": None, "ssim": None}
    scores["do_nothing"]["mae@reproduction"] = None
    files.write_json(facts, content)
    (damaged,) = load(tmp_path).groups
    mae, _, psnr, _, ssim = published.pooled_table(damaged).loc[RUN]
    assert mae.endswith(" / –") and mae.count("–") == 1 and (psnr, ssim) == ("–", "–")
    # Held against the input, but nothing was scored there.
    assert " / – / " in published.pooled_table(damaged).loc["do_nothing"].iloc[0]
    (result, _) = group.results
    plain = replace(result, facts=result.facts.model_copy(update={"profile": "standard"}))
    other = replace(group, results=(plain,))
    assert published.pooled_table(other) is None and pages._pooled(other) == ""


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
    marks = compare.best_cells(inside, table)
    assert not marks.loc[copy].any() and marks.loc[RUN].any()
    assert copy in compare.rank_table(part(group, "clear")).index
    cells = compare.gain_table(inside).loc[RUN]
    assert all("no verdict: perfect by definition" in cell for cell in cells)
    assert "definition" not in "".join(compare.gain_table(part(group, "clear")).loc[RUN])


def test_gains_are_shown_over_the_baseline_that_beats_the_reference_too(group, folder, capsys):
    assert group.reference == "do_nothing"
    # As evaluate.py has it: under a closed cloud one colour is nearer to the ground.
    assert gained_over(group) == ("do_nothing", "mean_colour")
    assert gained_over(part(group, "reconstruction")) == ("do_nothing", "mean_colour")
    assert gained_over(part(group, "reproduction")) == ("do_nothing",)
    # A run of a baseline has no gain over itself, and one over the others.
    assert list(compare.gain_table(group, "do_nothing").index) == [RUN]
    cell = compare.gain_table(group, "mean_colour").loc[RUN, "PSNR ↑\n(dB)"]
    assert cell.startswith(f"{folder[1].gains['mean_colour']['psnr'].mean:+.3g}")
    body = gains(load(folder[0])).body
    assert "gain over mean_colour per metric" in body and "Gain over mean_colour:" in body
    assert "✗ worse than mean_colour" in body and "✗ worse than do_nothing" in body
    assert terminal.main(["--evaluation", str(folder[0])]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Gain over do_nothing, positive" in text and "Gain over mean_colour, positive" in text


def test_pages_and_terminal_show_every_part(group, folder, capsys):
    results = load(folder[0])
    page = summary(results).body
    assert page.count("<table>") == 5 and page.count("by definition") >= len(CLOUD_TABLE)
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
    for path in (path for path in folder[0].glob("*") if path.is_file()):
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
