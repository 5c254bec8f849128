"""``make real-clouds``: its source of dates on generated scenes, its figures, its words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.carl import clouds
from examples import multidate, triplet
from sensor2sensor.core.errors import InputError
from sensor2sensor.sources.source import Item, LeftOut
from tests.fakes.jp2 import write_jp2
from tests.real_data import data_set

ROOT = Path(__file__).resolve().parents[2]
SIDE_PX = 96
METHODS, MEAN = ("model", *clouds.BASELINES), {"mean": 0.2, "std": 0.01}
DATES = {"20230810": 69.0, "20230813": 1.7, "20230815": 0.2, "20230818": 46.0}


def write_dates(folder: Path, side_px: int = SIDE_PX) -> Path:
    """Four dates as the samples are laid out: a cloud in one corner, a strip without data."""
    draw = np.random.default_rng(0)
    ground = draw.integers(300, 3000, (4, side_px, side_px))
    for date, cover in DATES.items():
        bands, classes = ground + 5, np.full((side_px, side_px), 4)
        if cover > 2:
            classes[:32, :24], classes[:32, 24:32], classes[32:40, :8] = 9, 3, 10
            bands[:, :32, :24] = 12_000
        if date == "20230813":
            bands[:, :, -8:], classes[:, -8:] = 0, 0
        if date == "20230815":
            classes[64:, :32] = 8
        name = f"S2A_33TWL_{date}_0_L2A"
        place = {"resolution_m": 120.0, "epsg": 32633, "ulx_m": 499980.0, "uly_m": 5100000.0}
        layers = {**dict(zip(multidate.WAVELENGTH_NM, bands, strict=True)), "SCL": classes}
        for band, layer in layers.items():
            kind = np.uint8 if band == "SCL" else np.uint16
            write_jp2(folder / name / f"{band}.jp2", layer.astype(kind), **place)
        time = f"{date[:4]}-{date[4:6]}-{date[6:]}T09:50:31Z"
        said = {"properties": {"datetime": time, "eo:cloud_cover": cover}}
        (folder / name / f"{name}.json").write_text(json.dumps(said))
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> multidate.MultidateSource:
    folder = write_dates(tmp_path_factory.mktemp("dates"))
    return multidate.MultidateSource(folder, "multidate", 32, 0, (0.7, 0.25))


def items(source: multidate.MultidateSource) -> dict[str, Item]:
    return {item.name: item for item in source.plan().items}


def test_a_cloudy_date_is_paired_with_the_clear_one_next_to_it(source) -> None:
    found = items(source)
    assert len(found) == 2 * 9
    days = {(i.overpass, round((i.time_gap_h or 0) / 24)) for i in found.values()}
    assert days == {("20230810", -3), ("20230818", 3)}
    assert {i.place.epsg for i in found.values() if i.place} == {32633}


def test_a_square_holds_reflectance_and_the_mask_of_its_scene_classes(source) -> None:
    (record,) = source.read(items(source)["multidate__20230818_0x0"])
    mask = record.extras["cloud_mask"]
    assert Counter(mask.ravel().tolist()) == {1: 32 * 24, 2: 32 * 8}
    dense = record.input_dense
    assert dense[:, :24].min() == dense.max() == 1.0  # clouds above 10000 are cut there
    np.testing.assert_array_equal(dense[:, 24:], record.target[:, 24:])
    assert 0.03 <= record.target.min() and record.target.max() < 0.31
    draft = source.drafts[0]
    assert draft.extras[0].variant == "scl"
    assert {band.groups for band in draft.input.bands} == {("S2", "L2A")}
    assert draft.split_policy.by == "block" and draft.split_policy.guard_m == 120.0


def test_cirrus_is_cloud(source) -> None:
    (record,) = source.read(items(source)["multidate__20230810_0x32"])
    assert (record.extras["cloud_mask"] == 1).sum() == 64


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("multidate__20230810_64x0", "25.00% of it has no data"),
        ("multidate__20230818_0x64", "100.00% of the clear date is cloud or shadow"),
    ],
)
def test_squares_without_a_truth_are_left_out(source, name: str, why: str) -> None:
    with pytest.raises(LeftOut, match=why):
        source.read(items(source)[name])


def test_a_folder_without_a_clear_date_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 dates, 0 of them clear; both kinds are needed"):
        multidate.scenes(tmp_path)


def test_doing_nothing_on_the_real_triplet_scores_what_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = data_set("SEN12MSCR_PATH")
    lines, good = triplet.check(folder)
    assert good and "ROIs1868_summer_19_p30" in lines[0] and "no clear image" in lines[0]
    assert sum("known" in line for line in lines) == 14
    monkeypatch.setattr(triplet, "KNOWN", {"all": {"MAE": 0.1098}})
    lines, good = triplet.check(folder)
    assert not good and lines[-1].endswith("DIFFERS")


def test_a_table_has_every_part_with_its_limits() -> None:
    gain = {"mean": 0.1, "t_low": 0.05, "t_high": 0.15, "over": "6 blocks", "note": ""}
    perfect = {**gain, "over": "", "note": "no verdict: perfect by definition"}
    columns = ("mae", "mae@reproduction")
    lines = clouds.part_table(
        {
            "metrics": {"mae": {"label": "MAE", "better": "lower", "unit": "reflectance"}},
            "strata": {"reproduction": {"columns": ["mae@reproduction"]}},
            "summary": {m: dict(zip(columns, (MEAN, MEAN), strict=True)) for m in METHODS},
            "gain": {
                "do_nothing": dict(zip(columns, (gain, perfect), strict=True)),
                "mean_colour": dict.fromkeys(columns, gain),
            },
        },
        clouds.BASELINES,
    )
    # Beside doing nothing also what one colour scores, which is the stronger one under clouds.
    assert lines[0].count("gain, 95 % interval") == 2 and "mean_colour" in lines[0]
    colour = "0.2 ± 0.01 | +0.1 (+0.05 to +0.15) |"
    assert lines[2:] == [
        f"| MAE ↓ [reflectance] | target | 0.2 ± 0.01 | {colour} {colour}",
        "| MAE ↓ [reflectance] | reproduction | 0.2 ± 0.01 | by definition"
        f" | +0.1, no verdict: perfect by definition | {colour}",
    ]


def test_regions_have_the_split_they_are_generated_for() -> None:
    from sensor2sensor.sources.sen12mscr.splits import published_split

    for split, regions in clouds.REGIONS.items():
        assert {published_split(region) for region in regions} == {split}


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "clouds.py"), "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "no folder" in line and "sen12mscr/" in line and "s2_multidate_120m/" in line
