"""Evaluations of profile torchsisr in the report: pages, terminal, what never shares a table."""

from __future__ import annotations

import pytest
from rich.console import Console

from sensor2sensor import report
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.evaluation import mosaics
from sensor2sensor.evaluation.cross_output import write_detail
from sensor2sensor.evaluation.output import stem, write
from sensor2sensor.evaluation.run import evaluate
from sensor2sensor.evaluation.sisr import Sisr
from sensor2sensor.predictors.registry import baselines
from sensor2sensor.report import terminal
from tests.fakes_pairs import make_pairs
from tests.unit.evaluation import toys


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    data = make_pairs(folder / "data", test=2)
    place = data, load_contract(data)
    known, out = baselines(*place), folder / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mosaics, "MOSAICS", 1)
        for name, how in (("a/sound", Sisr()), ("a/as_published", Sisr(compat="torchsisr"))):
            methods = {"model": toys.noisy(0.01), **known}
            made = evaluate(methods, *place, profile="torchsisr", sisr=how)
            subject = toys.subject(experiment=name)
            shelf = out / f"{stem(subject, 'torchsisr')}_gallery"
            pictures = write_detail(made.detail, made.cross_sensor, shelf)
            write(made, out, subject, place[1], baselines=known, gallery=pictures)
    return report.load(out)


def test_kernels_of_two_widths_never_share_a_table(results):
    assert not results.skipped
    titles = [group.title for group in results.groups]
    assert len(titles) == 2 and "half width 3" in "".join(titles)
    assert "MTF B02 0.304, B03 0.276, B04 0.233, B11 0.21 (half width auto)" in "".join(titles)


def test_the_page_has_bands_spectra_and_sites(results):
    shown = report.superresolution(results)._repr_html_()
    for words in ("mode windowed, no interval below 10 sites (2 here)", "mode torchsisr",
                  "Scores of each band, real / simulated inputs; nobody measured B11",
                  "Sites, real", "white noise and scrambled phases raise it"):  # fmt: skip
        assert words in shown
    assert shown.count("data:image/png") == 2 * 2  # curves of either mode
    table = shown[shown.index("Frequencies restored") :]
    head = table[: table.index("</thead>")]
    assert all(name in head for name in ("FRR", "FRO", "FRU", "noise", "LR RMSE"))
    inner = report.summary(results)._repr_html_()
    assert "on simulated inputs, the target degraded" in inner


def test_the_terminal_prints_the_same_tables(results):
    console = Console(record=True, width=160, markup=False)
    for group in results.groups:
        terminal._show(group, console)
    text = " ".join(console.export_text().split())
    assert "a/sound: Frequencies restored" in text and "a/as_published: Sites" in text


def test_without_such_an_evaluation_the_page_says_what_writes_one(tmp_path):
    assert "No evaluation to compare" in report.superresolution(report.load(tmp_path)).body
