"""Products are found by content in any layout; of one acquisition the best is kept."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.products.acquisitions import acquisitions
from sensor2sensor.products.discovery import find_s2, find_s3
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import S3Product, open_s3

Maker = Callable[..., Path]


@pytest.fixture
def s2_at(s2_product: Maker) -> Callable[..., Path]:
    """Put the metadata of a generated product somewhere, with parts of its text replaced."""

    def put(target: Path, level: str = "L1C", **changes: str) -> Path:
        source = s2_product(level=level, baseline="04.00")
        for file in [*source.glob("MTD_*.xml"), *source.glob("GRANULE/*/MTD_TL.xml")]:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_text(encoding="utf-8")
            for element, value in changes.items():
                text = re.sub(f"<{element}>[^<]*<", f"<{element}>{value}<", text)
            copy.write_text(text, encoding="utf-8")
        return target

    return put


@pytest.fixture
def s3_at(s3_product: Maker) -> Callable[..., Path]:
    """Put the manifest of a generated OLCI product somewhere, with elements replaced."""

    def put(target: Path, **changes: str) -> Path:
        text = (s3_product() / "xfdumanifest.xml").read_text(encoding="utf-8")
        for element, value in changes.items():
            text, count = re.subn(f"({element}>)[^<]*(</[^>]*{element}>)", rf"\g<1>{value}\2", text)
            assert count == 1, element
        target.mkdir(parents=True)
        (target / "xfdumanifest.xml").write_text(text, encoding="utf-8")
        return target

    return put


def frame(start: datetime, seconds: float = 180.0) -> dict[str, str]:
    stop = start + timedelta(seconds=seconds)
    pattern = "%Y-%m-%dT%H:%M:%S.%fZ"
    return {"startTime": start.strftime(pattern), "stopTime": stop.strftime(pattern)}


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    shutil.rmtree(folder)
    return path


def test_products_are_recognised_by_content(s2_at: Maker, s3_at: Maker, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    renamed = s2_at(archive / "renamed by hand")
    misleading = archive / "S2A_MSIL1C_20220714T171911_N0400_R026_T17XNA_20220714T211911.SAFE"
    s3_at(misleading)
    (archive / "page.zip").write_text("<html>Service unavailable</html>", encoding="utf-8")
    (archive / "empty").mkdir()
    assert [product.path for product in find_s2(archive)[0]] == [renamed]
    assert [product.path for product in find_s3(archive)[0]] == [misleading]


def test_every_layout_is_searched(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "flat.SAFE", PRODUCT_URI="flat")
    s2_at(tmp_path / "2022" / "07" / "deep", PRODUCT_URI="deep")
    zipped(s2_at(tmp_path / "a", PRODUCT_URI="zip"), tmp_path / "b.zip")
    folder = s2_at(tmp_path / "c", PRODUCT_URI="zip with folder")
    zipped(folder, tmp_path / "2022" / "x.SAFE.zip", "x.SAFE/")
    found, failures = find_s2(tmp_path)
    assert {product.name for product in found} == {"flat", "deep", "zip", "zip with folder"}
    assert failures == []


def test_an_entry_that_cannot_be_looked_at_costs_the_others_nothing(
    s2_at: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    product = s2_at(tmp_path / "x.SAFE")
    (tmp_path / "nowhere.zip").symlink_to("a" * 300)  # no system can look behind that
    found, failures = find_s2(tmp_path)
    assert [one.path for one in found] == [product] and not failures
    assert "nowhere.zip: passed over" in caplog.text


def test_links_in_the_archive_end_in_no_loop(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "x.SAFE")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    found, failures = find_s2(tmp_path)
    assert len(found) == 1
    assert failures == []


def test_only_the_tile_asked_for(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "x.SAFE")
    assert [one.tile for one in find_s2(tmp_path, "T17XNA")[0]] == ["T17XNA"]
    assert len(find_s2(tmp_path, "17xna")[0]) == 1
    assert find_s2(tmp_path, "T17XNB")[0] == []


def test_damage_is_reported_by_item_and_ends_nothing(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "good.SAFE")
    s2_at(tmp_path / "comma.SAFE")
    text = (tmp_path / "comma.SAFE" / "MTD_MSIL1C.xml").read_text(encoding="utf-8")
    text = text.replace('QUANTIFICATION_VALUE unit="none">10000', "QUANTIFICATION_VALUE>1,0")
    (tmp_path / "comma.SAFE" / "MTD_MSIL1C.xml").write_text(text, encoding="utf-8")
    (tmp_path / "hollow.SAFE").mkdir()
    page = "S2A_MSIL1C_20220714T171911_N0400_R026_T17XNA_20220714T211911.zip"
    (tmp_path / page).write_text("<html>", encoding="utf-8")
    (tmp_path / "notes.zip").write_text("no product", encoding="utf-8")
    (tmp_path / "S3A_SL_1_RBT____20220714T160227.SEN3").mkdir()
    found, failures = find_s2(tmp_path)
    assert [product.path.name for product in found] == ["good.SAFE"]
    assert sorted(failure.item.name for failure in failures) == sorted(
        ["comma.SAFE", "hollow.SAFE", page]
    )
    reasons = {failure.item.name: failure.reason for failure in failures}
    assert "comma.SAFE/MTD_MSIL1C.xml: element General_Info" in reasons["comma.SAFE"]
    assert "not a readable zip archive" in reasons[page]


def test_damage_of_another_tile_is_not_reported(tmp_path: Path) -> None:
    name = "S2A_MSIL1C_20220714T171911_N0400_R026_T17XNA_20220714T211911.SAFE"
    (tmp_path / name).mkdir()
    assert len(find_s2(tmp_path, "T17XNA")[1]) == 1
    assert find_s2(tmp_path, "T33XWJ")[1] == []


def test_a_missing_archive_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such archive folder"):
        find_s2(tmp_path / "nowhere")


def test_a_pass_over_the_turn_of_the_year_is_found(s3_at: Maker, tmp_path: Path) -> None:
    midnight = datetime(2023, 1, 1, tzinfo=UTC)
    start = midnight - timedelta(seconds=90)
    s3_at(tmp_path / "2022" / "12" / "a.SEN3", **frame(start))
    for between, count in {
        (midnight - timedelta(hours=1), midnight - timedelta(minutes=1)): 1,
        (midnight, midnight + timedelta(hours=1)): 1,
        (midnight + timedelta(minutes=2), midnight + timedelta(hours=1)): 0,
        (midnight - timedelta(hours=1), midnight - timedelta(minutes=2)): 0,
    }.items():
        assert sum(one.sensed_within(*between) for one in find_s3(tmp_path)[0]) == count, between


def newest(products: list[Any]) -> list[Any]:
    return [group[0] for group in acquisitions(products)]


def test_the_newest_baseline_wins(s2_at: Maker, tmp_path: Path) -> None:
    late, early = "2024-01-01T00:00:00Z", "2023-01-01T00:00:00Z"
    for name, baseline, made in (
        ("old", "04.00", late),
        ("new early", "05.11", early),
        ("new late", "05.11", late),
        ("commissioning", "99.04", late),
    ):
        changes = {"PROCESSING_BASELINE": baseline, "GENERATION_TIME": made, "PRODUCT_URI": name}
        s2_at(tmp_path / f"{name}.SAFE", **changes)
    found, _ = find_s2(tmp_path)
    assert [one.name for one in newest(found)] == ["new late"]
    assert newest(found[::-1]) == newest(found)


def test_other_acquisitions_stay(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "a.SAFE")
    s2_at(tmp_path / "b.SAFE", SPACECRAFT_NAME="Sentinel-2B")
    s2_at(tmp_path / "c.SAFE", DATATAKE_SENSING_START="2022-07-15T17:19:11.024Z")
    s2_at(tmp_path / "d.SAFE", DATATAKE_SENSING_START="2022-07-15T17:19:11.031Z")
    found, _ = find_s2(tmp_path)
    chosen = newest(found)
    assert len(chosen) == 3, "milliseconds differ between levels and reprocessings"
    starts = [one.sensing_start for one in chosen]
    assert starts == sorted(starts)


def test_levels_are_never_mixed(s2_at: Maker, tmp_path: Path) -> None:
    s2_at(tmp_path / "a.SAFE", "L1C")
    s2_at(tmp_path / "b.SAFE", "L2A")
    found, _ = find_s2(tmp_path)
    assert sorted(one.level for one in newest(found)) == ["L1C", "L2A"]


def test_the_final_olci_product_wins(s3_at: Maker, tmp_path: Path) -> None:
    start = datetime(2022, 7, 14, 16, 0, tzinfo=UTC)
    near = {"creationTime": "20220801T000000", "timeliness": "NR"}
    final = {"creationTime": "20220716T000000", "timeliness": "NT"}
    again = {"creationTime": "20230716T000000", "timeliness": "NT"}
    shifted = start + timedelta(seconds=20)
    s3_at(tmp_path / "near.SEN3", productName="near", **near, **frame(start))
    s3_at(tmp_path / "final.SEN3", productName="final", **final, **frame(shifted))
    s3_at(tmp_path / "again.SEN3", productName="again", **again, **frame(start))
    following = start + timedelta(seconds=178)
    s3_at(tmp_path / "next.SEN3", productName="next", **near, **frame(following))
    s3_at(tmp_path / "b.SEN3", productName="b", number="B", **near, **frame(start))
    found, failures = find_s3(tmp_path)
    assert failures == []
    chosen = newest(found)
    assert [one.name for one in chosen] == ["again", "b", "next"]


def test_renamed_products_open(s2_at: Maker, s3_at: Maker, tmp_path: Path) -> None:
    assert open_s2(s2_at(tmp_path / "a b")).tile == "T17XNA"
    assert open_s3(s3_at(tmp_path / "é")).platform == "S3A"


NORTH = "72.99 -81 72.99 -80.88 72.974 -80.88 72.974 -81 72.99 -81"
SOUTH = "72.975 -81 72.975 -80.88 72.955 -80.88 72.955 -81 72.975 -81"
WHOLE = "72.99 -81 72.99 -80.88 72.955 -80.88 72.955 -81 72.99 -81"


def strip(second: int) -> str:
    return f"S2A_OPER_MSI_L1C_DS_FAKE_20220714T211911_S20220714T1719{second:02d}_N04.00"


@pytest.mark.parametrize(
    ("footprints", "strips", "kept"),
    [
        ((NORTH, SOUTH), (strip(5), strip(45)), ["first", "second"]),
        ((NORTH, SOUTH), (strip(5), strip(5)), ["first", "second"]),
        ((NORTH, SOUTH), ("unknown", "unknown"), ["first", "second"]),
        ((WHOLE, SOUTH), (strip(5), strip(45)), ["first", "second"]),
        ((SOUTH, WHOLE), (strip(5), strip(45)), ["second"]),
        ((WHOLE, WHOLE), (strip(5), strip(45)), ["second"]),
        ((WHOLE, SOUTH), (strip(5), strip(5)), ["second"]),
    ],
    ids=[
        *("cut between datastrips", "one datastrip, other ground", "no datastrip named"),
        *("the newer holds a part", "the newer holds all", "cut anew", "outline drawn anew"),
    ],
)
def test_parts_of_a_tile_stay_and_reprocessings_lose(
    s2_at: Maker, tmp_path: Path, footprints: tuple[str, str], strips: tuple[str, str], kept: object
) -> None:
    for hour, name in enumerate(("first", "second")):
        s2_at(
            tmp_path / f"{name}.SAFE",
            PRODUCT_URI=name,
            GENERATION_TIME=f"2022-07-15T0{hour}:00:00Z",
            EXT_POS_LIST=footprints[hour],
            **{'DATASTRIP_ID metadataLevel="Standard"': strips[hour]},
        )
    found, failures = find_s2(tmp_path)
    assert failures == [] and len(found) == 2
    chosen = newest(found)
    assert sorted(one.name for one in chosen) == kept
    again = newest(found[::-1])
    assert again == chosen
    groups = acquisitions(found)
    assert sorted(one.name for group in groups for one in group) == ["first", "second"]
    assert [group[0] for group in groups] == chosen


def test_frames_found_by_bisection_are_those_of_brute_force(s3_at: Maker, tmp_path: Path) -> None:
    model = open_s3(s3_at(tmp_path / "x.SEN3"))
    random = np.random.default_rng(5)
    products = []
    for number in range(400):
        start = model.start + timedelta(seconds=float(random.integers(0, 20_000)))
        long = timedelta(seconds=float(random.choice([30, 179, 180, 2600], p=[0.1, 0.4, 0.4, 0.1])))
        made = model.creation_time + timedelta(hours=int(random.integers(0, 9)))
        given = {"name": f"p{number:03d}", "start": start, "stop": start + long}
        timeliness, platform = random.choice(["NR", "NT"]), random.choice(["S3A", "S3B"])
        given |= {"creation_time": made, "timeliness": str(timeliness), "platform": str(platform)}
        products.append(replace(model, **given))

    def same(one: S3Product, other: S3Product) -> bool:
        shared = min(one.stop, other.stop) - max(one.start, other.start)
        shorter = min(one.stop - one.start, other.stop - other.start)
        return one.platform == other.platform and shared > 0.5 * shorter

    best_first = sorted(
        products,
        key=lambda p: (p.timeliness == "NT", p.creation_time, p.start, p.name),
        reverse=True,
    )
    expected: list[S3Product] = []
    for product in best_first:
        if not any(same(product, better) for better in expected):
            expected.append(product)
    chosen = newest(products)
    assert {one.name for one in chosen} == {one.name for one in expected}
    assert 100 < len(chosen) < len(products)
    assert [one.start for one in chosen] == sorted(one.start for one in chosen)
