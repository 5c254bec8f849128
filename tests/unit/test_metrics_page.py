"""docs/metrics.md is fresh, agrees with other libraries, and each planted defect is seen."""

from __future__ import annotations

import pytest

from benchmarks import metric_defects as defects
from benchmarks import metric_oracles as oracles
from benchmarks import metrics_page
from benchmarks.metric_formulas import ARISGAN, FORMULAS, FREQUENCY
from sensor2sensor.config.vocabulary import METRICS, TABLES
from sensor2sensor.metrics import arisgan, fda

# Each once with a reference to the paper's own words: as in `sensor2sensor.metrics`.
OWN = {name for table in TABLES.values() for name in table}


@pytest.fixture(scope="module")
def written():
    """The page as it is, and as the command writes it now."""
    before = metrics_page.PAGE.read_text(encoding="utf-8")
    return before, metrics_page.page(before)


def test_the_page_is_what_its_command_writes(written):
    before, now = written
    assert metrics_page.differences(now, before) == [], metrics_page.COMMAND


def test_every_metric_has_a_formula():
    assert set(FORMULAS) == OWN
    assert set(ARISGAN) == set(arisgan.METRICS) and set(FREQUENCY) == set(fda.RATES)


def test_libraries_agree_where_nothing_else_is_meant(written):
    pair, compared = oracles.Pair(), oracles.rows()
    seen = [oracle for oracle, row in compared.items() if row is not None]
    assert {"skimage", "sewar", "tensorflow"} <= {oracle.library for oracle in seen}
    for oracle in seen:
        assert compared[oracle][-1] == (oracle.reason or "agrees"), compared[oracle]
        if oracle.reason:  # which would be wrong where there is no difference
            assert oracles.gap(oracle, pair)[2] > oracles.SINGLE, oracle.call


def test_each_planted_defect_is_seen_by_a_number_of_every_report(written):
    for defect, losses in defects.shares().items():
        seen = [metric for metric in METRICS if defects.recognised(metric, losses.get(metric, 0.0))]
        assert seen, defect
    frr = {defect: losses["frr"] for defect, losses in defects.shares().items()}
    # Amounts of detail and not places: why FRR stands nowhere alone.
    assert frr["phases scrambled"] < 0.05 and frr["noise of 0.005"] < 0.05 and frr["blur"] > 0.5


def test_the_truth_is_no_defect_and_bicubic_is_one():
    target = defects.truth(1)
    low = defects.bicubic(target)
    perfect, poor = (defects.scores(target, made, low) for made in (target, low))
    assert perfect["rmse"] == perfect["psnr"] == 0.0 and perfect["ms_ssim"] == pytest.approx(1.0)
    assert perfect["frr"] == pytest.approx(100.0) and poor["frr"] == pytest.approx(0.0)
    assert not defects.recognised("rmse", 0.24) and defects.recognised("rmse", 0.25)
    assert not defects.recognised("fro", 0.9) and defects.recognised("fro", 1.0)


def test_a_check_forgives_last_digits_and_nothing_else(tmp_path, monkeypatch, capsys):
    page = "| `rmse` | **0.25** | 14 |\nends\n"
    alike = page.replace("**0.25**", "0.24").replace("14", "15")
    assert metrics_page.differences(page, alike) == []
    for other in ("0.35", "0.25 x"):
        assert metrics_page.differences(page, page.replace("0.25", other)) == page.splitlines()[:1]
    assert metrics_page.differences(page, page + "more\n") == ["more"]
    monkeypatch.setattr(metrics_page, "page", lambda before: page)
    file = tmp_path / "metrics.md"
    assert metrics_page.main(["--check", str(file)]) == 1
    assert metrics_page.COMMAND in capsys.readouterr().out
    assert metrics_page.main(["--write", str(file)]) == 0 and file.read_text() == page
    assert metrics_page.main(["--check", str(file)]) == 0


def test_rows_of_a_library_that_is_not_installed_stay_as_they_are(written, monkeypatch):
    before, _ = written
    without = {o: row if o.library != "sewar" else None for o, row in oracles.rows().items()}
    monkeypatch.setattr(oracles, "rows", lambda: without)
    assert metrics_page.agreement(before) in before
