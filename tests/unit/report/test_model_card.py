"""The card of an exported model says what is known of it, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sensor2sensor.core.runs import Run
from sensor2sensor.dataset.form import form_of
from sensor2sensor.inference.command import scene_options
from sensor2sensor.inference.door import arguments
from sensor2sensor.inference.scenes.grids import output_grid
from sensor2sensor.predictors.intervals import BandQuantile, Intervals
from sensor2sensor.predictors.sidecar import read_sidecar, write_sidecar
from sensor2sensor.report.intervals import card_lines
from sensor2sensor.report.kinds import seen_in_words
from sensor2sensor.report.load import load
from sensor2sensor.report.model_card import write_companions
from tests.fakes.onnx_files import OUTPUT, write_exported
from tests.unit.report.folders import add, contract

SETTINGS = {
    "steps": 300, "batch_size": 4,
    "gen_loss": {"gen_gan": 1.0, "gen_l1": 100.0, "gen_l2": None},
    "disc_loss": {"disc_bce": 1.0}, "normalisation": "standard", "seed": 3,
    "exclude_suffix": "_notinmask", "discriminator": {"norm": "batch"}, "epochs": None,
}  # fmt: skip
KNOWN = {
    "experiment": "a/toy", "run": "0715-0930", "step": 300, "model": "edsr", "weights": "last",
    "dataset_sha256": "ab" * 32, "weights_count": 12,
}  # fmt: skip


def exported(folder: Path, **known: object) -> tuple[Path, Run]:
    form = form_of(contract())
    path = write_exported(folder, form, upsampling="none", factor=6)
    said, _ = read_sidecar(path)
    changed = {"provenance": {**KNOWN, **known}, "measured": {"parity_share": 1.2e-6}}
    write_sidecar(path, said.model_copy(update=changed))
    run = Run(folder / "experiment", "0715-0930")
    run.logs_dir.mkdir(parents=True)
    run.resolved.write_text(json.dumps(SETTINGS))
    run.run_json.write_text(json.dumps({"started": "2026-11-27T21:00:00.000Z", "steps": 300}))
    return path, run


def card_of(folder: Path, evaluations: Path, **known: object) -> str:
    path, run = exported(folder, **known)
    card, item, _ = write_companions(path, contract(), run, evaluations)
    assert (card.name, item.name) == ("toy.md", "toy.mlm.json")
    said = json.loads(item.read_text())
    assert said["assets"]["card"]["href"] == "./toy.md"
    assert said["properties"]["mlm:total_parameters"] == 12
    assert said["properties"]["mlm:output"][0]["name"] == OUTPUT
    return card.read_text()


def test_scores_stand_with_their_intervals_and_what_those_are_over(tmp_path):
    add(tmp_path / "_evaluation", "a/toy", 0.8)
    add(tmp_path / "_evaluation", "a/toy", 0.1, timestamp="0716-0000")  # another run
    text = card_of(tmp_path, tmp_path / "_evaluation")
    (path,) = (tmp_path / "_evaluation").glob("*0715-0930.json")
    said = json.loads(path.read_text())
    gain, summary = said["gain"]["bicubic"]["psnr"], said["summary"]
    means = " | ".join(f"{summary[name]['psnr']['mean']:.3f}" for name in ("model", "bicubic"))
    ends = f"[{gain['t_low']:.2g}, {gain['t_high']:.2g}]"
    assert f"| PSNR (dB) | {means} | {gain['mean']:+.3g} {ends} | better |" in text
    assert text.count("| metric | model |") == 1
    assert "Profile `standard`, 12 tiles of split `test`" in text
    assert "Intervals over 6 blocks" in text and "No gain over" not in text
    assert "are each by its own interval, uncorrected for their number; `s2s report`" in text
    assert "Not the data set" not in text


def on(path: Path, name: str, **seen: object) -> None:
    """The same evaluation as one of another data set, beside it."""
    said = json.loads(path.read_text())
    said["dataset"] |= {"name": name, "sha256": "cd" * 32}
    trained = {"name": "alt6_toy", "sha256": "ab" * 32}
    said["scored_on"] = {"name": name, "sha256": "cd" * 32, "trained_on": trained, "ground": "crs",
                         "tiles": 12, **seen}  # fmt: skip
    for gain in said["gain"]["bicubic"].values():
        gain |= {"verdict": "worse"}
    path.with_name(f"0{name}.json").write_text(json.dumps(said))  # before its own by name


def test_scores_on_other_data_sets_are_named_so_with_what_training_saw_of_them(tmp_path):
    path = add(tmp_path / "_evaluation", "a/toy", 0.8)
    said = json.loads(path.read_text())
    said["intervals"] = {
        "level": 0.9, "score": "absolute", "draws": 1, "called": "conformal, 9 blocks",
        "calibrated": True, "calibration_blocks": 9, "promise": "p", "calibrated_on": "alt6_toy",
        "edge_px": 0, "quantile_error": 0.0, "tiles": 12, "test_blocks": 6, "bands": {},
        "shift": [],
    }  # fmt: skip
    path.write_text(json.dumps(said))
    on(path, "mix", seen_tiles=4, val_tiles=3)
    on(path, "far", seen_tiles=None)
    text = card_of(tmp_path, tmp_path / "_evaluation")
    own, far, mix = (
        text.index(f"12 tiles of split `test`{where}, means")
        for where in ("", " of data set `far` (cdcdcdcd)", " of data set `mix` (cdcdcdcd)")
    )
    assert own < far < mix
    assert "nobody knows which of its ground" in text[far:mix]
    seen = "4 of 12 tiles show ground of the train split, 3 show ground of the val split."
    assert seen in text[mix:] and "Not the data set" not in text[own:far]
    # Of its own data set it is worse in nothing: what it is elsewhere is no limit of that test.
    limits = text[text.index("## Limits") :]
    assert "* On data set `mix` (cdcdcdcd): Worse than a baseline in HPSI" in limits
    assert "* Worse" not in limits and "* No gain" not in limits
    held = Intervals(
        level=0.9, score="absolute", calibrated=True, blocks=9,
        bands=(BandQuantile(name="B02", unit="reflectance", q=0.1, blocks=9, pixels=9),),
    )  # fmt: skip
    results = load(tmp_path / "_evaluation").results
    told = list(card_lines(held, results))
    assert "On its own data set:" in told
    assert any(line.startswith("On data set `mix` (cdcdcdcd): 4 of 12") for line in told)
    assert "On its own data set:" not in list(card_lines(held, results[-1:]))
    on(path, "old", seen_tiles=0)  # of before the key
    facts = load(tmp_path / "_evaluation").results[-2].facts
    assert seen_in_words(facts).endswith("how many that of the val split nobody knows")
    path.unlink()
    (tmp_path / "again").mkdir()
    limits = card_of(tmp_path / "again", tmp_path / "_evaluation").partition("## Limits")[2]
    assert "* No score on the data set it was trained on is known." in limits


@pytest.mark.parametrize(("kind", "grid"), [("sentinel3", " --tile T17XNA"), ("degraded", "")])
def test_the_command_names_the_grid_that_a_swath_lacks(tmp_path, kind, grid):
    path, run = exported(tmp_path)
    said, _ = read_sidecar(path)
    write_sidecar(
        path, said.model_copy(update={"form": said.form.model_copy(update={"kind": kind})})
    )
    text = write_companions(path, contract(), run, tmp_path / "_evaluation")[0].read_text()
    (command,) = [line for line in text.splitlines() if line.startswith("s2s predict ")]
    assert command.endswith(f" --product PRODUCT{grid} --out prediction.tif")
    args = arguments().parse_args(command.split()[2:])
    options = scene_options(args)
    assert args.model == "toy.onnx" and (options.tile == "T17XNA") == bool(grid)
    if grid:
        assert output_grid(options, 10.0).epsg == 32617


def test_inputs_aligned_in_training_are_a_limit(tmp_path):
    path, run = exported(tmp_path)
    plain = write_companions(path, contract(), run, tmp_path / "_evaluation")[0].read_text()
    said, _ = read_sidecar(path)
    assert "aligned" not in plain and '"aligned"' not in path.read_text()
    moved = said.form.input.model_copy(update={"aligned": ("train",)})
    form = said.form.model_copy(update={"input": moved})
    write_sidecar(path, said.model_copy(update={"form": form}))
    assert read_sidecar(path)[0].form.input.alignment == "input aligned with the target (train)"
    text = write_companions(path, contract(), run, tmp_path / "_evaluation")[0].read_text()
    assert "* Trained with its input aligned with the target" in text.partition("## Limits")[2]


def test_without_an_evaluation_of_these_weights_none_is_claimed(tmp_path):
    add(tmp_path / "_evaluation", "a/toy", 0.8)
    text = card_of(tmp_path, tmp_path / "_evaluation", step=200)
    assert "These weights were not evaluated" in text and "* No score is known." in text
    assert "PSNR" not in text


def test_a_gain_that_is_not_proven_is_a_limit(tmp_path):
    add(tmp_path / "_evaluation", "a/toy", 0.5, blocks=3)
    text = card_of(tmp_path, tmp_path / "_evaluation")
    assert "* No gain over bicubic is proven" in text and "Worse than" not in text


def test_what_it_is_worse_in_is_a_limit(tmp_path):
    add(tmp_path / "_evaluation", "a/toy", 0.4)
    text = card_of(tmp_path, tmp_path / "_evaluation")
    assert "Worse than a baseline in HPSI (colour) (bicubic), ERGAS (bicubic), " in text
    assert "nearest" not in text


def test_every_baseline_that_is_better_is_named(tmp_path):
    """Not the reference alone: another one may be far ahead in a metric it is said to win."""
    path = add(tmp_path / "_evaluation", "a/toy", 0.8)
    said = json.loads(path.read_text())
    said["gain"]["nearest"]["psnr"] |= {"mean": -27.0, "verdict": "worse"}
    path.write_text(json.dumps(said))
    text = card_of(tmp_path, tmp_path / "_evaluation")
    (row,) = [line for line in text.splitlines() if line.startswith("| PSNR (dB) |")]
    assert row.endswith("| better, worse than nearest |")
    assert "* Worse than a baseline in PSNR (nearest); each by its own interval" in text
    assert "Behind" not in text
    said["gain"]["nearest"]["psnr"] |= {"verdict": "none"}
    path.write_text(json.dumps(said))
    (tmp_path / "unsure").mkdir()
    text = card_of(tmp_path / "unsure", tmp_path / "_evaluation")
    assert "which no interval proves: PSNR (nearest)." in text and "Worse" not in text
    add(tmp_path / "_evaluation", "a/toy", 0.2)
    (tmp_path / "again").mkdir()
    again = card_of(tmp_path / "again", tmp_path / "_evaluation")
    assert "PSNR (bicubic, nearest)" in again and "No gain over bicubic is proven" in again


def test_a_baseline_that_beats_the_reference_has_a_table_of_its_own(tmp_path):
    path = add(tmp_path / "_evaluation", "a/toy", 0.8)
    said = json.loads(path.read_text())
    assert "| gain over nearest |" not in card_of(tmp_path, tmp_path / "_evaluation")
    said["summary"]["nearest"], said["summary"]["bicubic"] = (
        said["summary"][name] for name in ("bicubic", "nearest")
    )
    path.write_text(json.dumps(said))
    (tmp_path / "again").mkdir()
    text = card_of(tmp_path / "again", tmp_path / "_evaluation")
    assert "| bicubic | gain over bicubic |" in text and "| nearest | gain over nearest |" in text
    of_nearest = text[text.index("gain over nearest") :]
    (row,) = [line for line in of_nearest.splitlines() if line.startswith("| PSNR (dB) |")]
    assert f"{said['gain']['nearest']['psnr']['mean']:+.3g} [" in row
    assert "is proven" not in text
    # Metrics that neither has a value of do not speak for the reference, as a majority or not.
    for name in list(said["metrics"])[3:]:
        for method in ("nearest", "bicubic"):
            said["summary"][method][name]["mean"] = None
    for gain in said["gain"]["nearest"].values():
        gain |= {"verdict": "open", "t_low": -9.0, "t_high": 9.0}
    path.write_text(json.dumps(said))
    (tmp_path / "third").mkdir()
    text = card_of(tmp_path / "third", tmp_path / "_evaluation")
    assert "| gain over nearest |" in text and "* No gain over nearest is proven: no" in text


def test_it_tells_data_training_limits_and_licence(tmp_path):
    text = card_of(tmp_path, tmp_path / "none", data_licence="CC BY 4.0")
    data, made = contract(), contract().target.bands[0]
    for line in (
        "# toy",
        f"Data set `{data.name}`",
        data.split_policy.described(),
        f"| train | {data.splits['train'].count} |",
        "tiles were left out of training: `exclude_suffix`",
        "| losses | `gen_gan` 1.0, `gen_l1` 100.0, `disc_bce` 1.0 |",
        "The file differs from the generator by 1.2e-06 of a band's range at most.",
        f"| out | {made.name} | {made.unit} | {made.wavelength_nm:g} | 0 to 0.5 |",
        "Its inputs were made of their targets",
        "Trained against an adversary: detail may be invented",
        "Of the data: CC BY 4.0.",
        "s2s predict --model toy.onnx --product PRODUCT",
    ):
        assert line in text, line
    assert str(tmp_path) not in text


def test_ranges_stand_in_the_card_of_a_file_for_the_public_tool(tmp_path):
    """By the names of bands: a model may make them in another order than it takes them."""
    path, run = exported(tmp_path)
    keys = "bands: [B2, B3, B4]\nfactor: 6\nmargin: 0\nsensor2sensor:\n  experiment: a/toy\n"
    card = path.with_name("tool.yaml")
    card.write_text(f"model: toy.onnx\n{keys}  run: 0715-0930\n  step: 300\n")
    known = contract()
    held = known.statistics["input"]
    lows = [one.model_copy(update={"low": 0.01 * k}) for k, one in enumerate(held)]
    by_name = sorted(known.input.bands, key=lambda band: band.name)
    taken = known.input.model_copy(update={"bands": tuple(by_name)})
    made = known.target.model_copy(update={"bands": tuple(by_name[::-1])})
    statistics = {"input": lows, "target": lows[::-1]}
    known = known.model_copy(update={"input": taken, "target": made, "statistics": statistics})
    rows = write_companions(card, known, run, tmp_path / "none")[0].read_text().splitlines()
    for side in ("in", "out"):
        found = [row.split(" | ")[-1] for row in rows if row.startswith(f"| {side} | B0")]
        assert found == ["0 to 0.5 |", "0.01 to 0.5 |", "0.02 to 0.5 |"]


@pytest.mark.parametrize("experiment", [{"discriminator": None}, {"model_name": "edsr"}])
def test_one_without_an_adversary_names_no_loss_of_one(tmp_path, experiment):
    """As a run keeps it: every loss there is stands there, and those of no discriminator, too."""
    path, run = exported(tmp_path)
    said = {**SETTINGS, **experiment, "gen_loss": {"gen_gan": None, "gen_l1": 1.0, "gen_l2": 0.0}}
    run.resolved.write_text(json.dumps(said))
    card, item, _ = write_companions(path, contract(), run, tmp_path / "none")
    assert "| losses | `gen_l1` 1.0 |" in card.read_text()
    assert "adversary" not in card.read_text()
    trained_by = json.loads(item.read_text())["properties"]["mlm:hyperparameters"]
    assert trained_by["gen_loss"]["gen_l1"] == 1.0 and "disc_loss" not in trained_by


@pytest.mark.parametrize("known", [{}, {"data_licence": ""}])
def test_an_unknown_licence_is_said_to_be_unknown(tmp_path, known):
    assert "Of the data: not stated" in card_of(tmp_path, tmp_path / "none", **known)
