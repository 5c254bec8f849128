"""Profiles trust and opensr-test from predictors to the files: closed cases, strata, maps."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from sensor2sensor.config.trust import CLASSES, VARIANTS
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation.output import write
from sensor2sensor.evaluation.parts import parts_of
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.supported import with_interpolation
from sensor2sensor.evaluation.tables import show
from sensor2sensor.evaluation.trust_maps import COLOURS, NOT_JUDGED, painted, write_trust_maps
from sensor2sensor.predictors.baselines import Upsampled
from sensor2sensor.predictors.bilinear_fit import fit_lines
from sensor2sensor.report.load import load
from tests.fakes_pairs import make_pairs
from tests.unit.evaluation import toys

PLANTED = slice(8, 20)
ND = tuple(f"{name}_nd" for name in CLASSES)


def planted(bicubic):
    """Interpolation with a board in a square, of which the input knows nothing."""
    board = (np.indices((12, 12)).sum(0) % 2 - 0.5)[..., None]

    def predict(tiles):
        images = bicubic(tiles).copy()
        images[:, PLANTED, PLANTED] += 0.3 * board
        return images

    return toys.Made(predict)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = make_pairs(tmp_path_factory.mktemp("pairs"), side_px=64, gaps=True)
    return folder, load_contract(folder)


@pytest.fixture(scope="module")
def methods(pairs):
    bicubic = Upsampled("bicubic", (3, 2, 1, 0), (2, 1, 1, 1))
    shifted = toys.Made(lambda tiles: np.roll(toys.truth(tiles), 3, axis=2))
    return {
        "model": planted(bicubic), "truth": toys.perfect, "shifted": shifted, "bicubic": bicubic
    }  # fmt: skip


@pytest.fixture(scope="module")
def scored(pairs, methods):
    return evaluate(methods, *pairs, profile="trust", batch_size=2)


def test_closed_cases_give_what_the_definitions_say(pairs, scored, methods):
    mean = {m: {n: s.mean for n, s in row.items()} for m, row in scored.summary.items()}
    assert [mean["truth"][name] for name in ND] == [1.0, 0.0, 0.0]
    assert [mean["bicubic"][name] for name in ND] == [0.0, 1.0, 0.0]
    assert mean["bicubic"]["synthesis"] == 0.0
    # A quarter reaches the quantile, and the square of 12 x 12 of 64 x 64 does it by itself.
    square = 144 / 64**2
    made_up = mean["model"]["hallucination_nd"]
    assert square / (0.25 + square) - 0.02 < made_up <= square / 0.25
    assert mean["model"]["improvement_nd"] < 0.02
    # Each input pixel is the mean of what was measured under it, up to its noise.
    assert mean["truth"]["reflectance"] < 0.003 < mean["shifted"]["reflectance"]
    assert mean["shifted"]["spatial"] == pytest.approx(1.5, abs=0.2)  # 3 pixels of half the size
    assert mean["truth"]["spatial"] < 0.1
    assert mean["shifted"]["hallucination_nd"] > mean["shifted"]["improvement_nd"]
    for row in scored.rows:
        assert sum(row.values[name] for name in ND) == pytest.approx(1)


def test_consistency_is_that_of_the_formulas(pairs, scored, methods):
    from sensor2sensor.pipeline.reader import iterate_tiles

    tile = next(iter(iterate_tiles(*pairs, "test")))
    guess = methods["shifted"]([tile])[0].astype(np.float64)
    low = tile.input_dense[..., ::-1].astype(np.float64)
    down = guess.reshape(32, 2, 32, 2, 4).mean((1, 3))
    down[..., 3] = guess[..., 3].reshape(16, 4, 16, 4).mean((1, 3)).repeat(2, 0).repeat(2, 1)
    row = scored.of("shifted")[0].values
    assert row["reflectance"] == pytest.approx(np.abs(low - down).mean())
    cosine = (low * down).sum(-1) / np.linalg.norm(low, axis=-1) / np.linalg.norm(down, axis=-1)
    assert row["spectral"] == pytest.approx(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())
    large = methods["bicubic"]([tile])[0].astype(np.float64)
    gap = np.abs(guess - large)[..., :3]  # nobody measured B11 there
    assert row["synthesis"] == pytest.approx(gap.mean())


def test_within_strata_pixels_are_counted_and_consistency_has_no_place(scored):
    names = {column.split("@")[0] for column in scored.columns if "@" in column}
    assert names == {"synthesis", *ND}
    for row in scored.of("shifted"):
        filled, measured = (row.pixels[name] for name in ("filled", "measured"))
        assert filled + measured == 64 * 64
        value = row.values["synthesis"]
        parts = row.values["synthesis@filled"] * filled if filled else 0.0
        parts += row.values["synthesis@measured"] * measured
        assert value * 64 * 64 == pytest.approx(parts)


def test_files_name_distance_and_bands_and_the_maps_show_what_was_planted(
    pairs, scored, methods, tmp_path
):
    shelf = tmp_path / "x_gallery"
    maps = write_trust_maps(scored, methods, *pairs, shelf, named=[scored.rows[1].name])
    assert [one["rank"] for one in maps] == ["chosen-1"]
    assert "hallucination" in maps[0]["caption"] and "(distance ND)" in maps[0]["caption"]
    with Image.open(tmp_path / maps[0]["file"]) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    for colour in COLOURS.values():
        value = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(pixels.astype(int) - value).max(1) <= 2).sum() > 50, colour
    sections = {"trust": {**scored.trust.facts(), "maps": maps}}
    told = {"baselines": {"bicubic": methods["bicubic"]}, "sections": sections}
    write(scored, tmp_path, toys.subject(), pairs[1], **told)
    (read,) = load(tmp_path).results
    trust = read.facts.trust
    assert trust.distance == "nd" and [one.target for one in trust.matched][-1] == "B11"
    assert trust.unmeasured == ["B11"] and len(trust.maps) == len(maps)
    assert any("normalised difference" in line for line in trust.told())
    assert read.facts.metrics["hallucination_nd"].label == "Hallucination (ND)"
    assert "_trust" in read.facts.csv.file
    text = io.StringIO()
    show(scored, pairs[1], "toy", Console(file=text, width=200))
    assert "Improvement (ND) ↑" in text.getvalue() and "Hallucination (ND) ↓" in text.getvalue()


def test_classes_have_their_colours_and_what_is_not_judged_its_own():
    from matplotlib.colors import to_hex

    found = painted(np.array([[0, 1, 2, -1]], np.int8))
    assert [to_hex(one) for one in found[0]] == [*COLOURS.values(), NOT_JUDGED]


def test_as_coded_a_shifted_truth_is_moved_back_and_the_truth_is_never_sure(pairs, scored, methods):
    chosen = {name: methods[name] for name in ("truth", "shifted", "bicubic")}
    found = evaluate(chosen, *pairs, profile="opensr-test", limit=1)
    truth = found.of("truth")[0].values
    soft = 1 / (1 + 2 * math.exp(-1 / 0.25))
    assert truth["improvement_nd"] == pytest.approx(soft, abs=0.01)
    # Moved onto the truth first: a shift of three pixels costs little, where it costs nearly all.
    moved, judged = (one.of("shifted")[0].values["improvement_nd"] for one in (found, scored))
    assert moved > 0.5 > 2 * judged
    assert found.trust.facts()["temperature"] == 0.25 and found.strata == ()
    assert found.columns == VARIANTS["opensr-test"].metrics


def test_a_swath_is_scored_on_the_lines_of_its_baseline():
    folder, contract = toys.dataset("sentinel3")
    from sensor2sensor.pipeline.reader import iterate_tiles

    fit = fit_lines(contract, iterate_tiles(folder, contract, "train"))
    found = evaluate(
        {"model": toys.perfect, "bilinear_fit": fit}, folder, contract, profile="trust"
    )
    assert found.undefined == {"spatial": "undefined in a swath"}
    facts = found.trust.facts()
    assert [one["by"] for one in facts["matched"]] == ["wavelength"] * 3
    assert list(facts["lines"]) == ["B02", "B03", "B04"]
    rows = [row.values for row in found.of("bilinear_fit")]
    assert all(row["omission_nd"] == 1.0 for row in rows if not math.isnan(row["omission_nd"]))
    with pytest.raises(ConfigError, match="needs the baseline bilinear_fit"):
        evaluate({"model": toys.perfect}, folder, contract, profile="trust")


def test_one_grid_and_incomplete_blocks_are_scored_and_others_refused():
    folder, contract = toys.dataset("degraded")
    bicubic = with_interpolation(contract, "trust", {"model": toys.perfect})["bicubic"]
    found = evaluate({"model": toys.perfect, "bicubic": bicubic}, folder, contract, profile="trust")
    values = found.of("model")[0].values
    assert values["improvement_nd"] == 1.0 and values["reflectance"] < 1e-6
    assert found.of("bicubic")[0].values["omission_nd"] == 1.0
    cut = r"and here a tile of 64 pixels does not end with an .* trust, or tiles of 60 or 66 pixels"
    with pytest.raises(ConfigError, match=cut):  # of a factor of 6, which is whole
        parts_of(contract, "opensr-test")
    have = {"nearest": Upsampled("nearest", (0,))}
    assert with_interpolation(contract, "trust", have) == have
    assert with_interpolation(contract, "standard", {}) == {}
