"""ARISGAN's published rows: all there, as published, and on a page of their own."""

from __future__ import annotations

import pytest

from sensor2sensor.report import arisgan


def test_all_39_rows_are_there() -> None:
    found = arisgan.rows()
    counts = found.groupby("task", sort=False)["model"].count().to_dict()
    assert counts == {"sea 12x": 10, "sea S3": 10, "land 12x": 10, "land S3": 9}
    assert not found.duplicated(["task", "model"]).any()
    collapsed = found[found["state"] != ""]
    assert collapsed["state"].value_counts().to_dict() == {
        "dead": 2, "failed": 3, "exploded": 2, "saturated": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("task", "model", "values"),
    [
        ("sea 12x", "aris-c", {"ergas": "2.852", "scc": "0.778", "hpsi": "0.534", "psnr": "19.81"}),
        ("land S3", "aris-a", {"ergas": "5.802", "hpsi": "0.364", "scc_std": "0.200"}),
        ("sea S3", "dmnet", {"scc": "-0.105", "ergas": "19139", "hpsi": ""}),
        ("land 12x", "psgan", {"sam": "0", "rmse": "3.906", "psnr": "", "ssim_std": ""}),
        ("land S3", "tarsgan", {"rmse": "2.34e7", "cc": "-0.015"}),
    ],
)
def test_rows_are_as_published(task: str, model: str, values: dict[str, str]) -> None:
    found = arisgan.rows()
    (row,) = found[(found["task"] == task) & (found["model"] == model)].to_dict("records")
    assert {name: row[name] for name in values} == values


def test_who_collapsed_is_never_best_and_what_is_known_in_part_has_no_best() -> None:
    sea, _, land, s3 = arisgan.sheets()
    assert not sea.best.loc["psgan (dead)"].any()
    assert list(sea.best.index[sea.best["SAM ↓"]]) == ["aris-c"]
    assert list(land.best.index[land.best["ERGAS ↓"]]) == ["tarsgan"]
    assert sea.best["HPSI ↑"].any() and not s3.best["HPSI ↑"].any()


def test_the_page_is_fresh_and_says_in_every_title_what_the_metrics_are() -> None:
    text = arisgan.PAGE.read_text(encoding="utf-8")
    assert text == arisgan.page(), "python -m sensor2sensor published writes it anew"
    titles = [line for line in text.splitlines() if line.startswith("#")]
    assert len(titles) == 5 and all("metrics as coded" in line for line in titles)
