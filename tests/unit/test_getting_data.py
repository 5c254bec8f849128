"""Fetching pairs: what is chosen of a catalogue's answer, and step 20 lists what comes."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from shapely.geometry import box, mapping

from sensor2sensor.core.errors import InputError, MissingExtraError
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.real_data import REPOSITORY
from tests.unit.preprocess.tifs_archive import INVENTORY, _built, rows_of

SCENE = "S2A_MSIL1C_20220714T171911_N{}_R026_T17XNA_{}"
PASS = "S3{}_OL_1_EFR____{}_{}_20220715T193212_0179_087_255_1440_PS1_O_{}_003"
GROUND = box(-82.0, 72.0, -80.0, 73.0)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples"))
    import getting_data

    return getting_data


class Product:
    """A product in the form that eodag 4.10.1 gives it: what is read here, and some beside it."""

    def __init__(self, title: str, footprint=GROUND, size: int = 10**9, status="succeeded") -> None:
        self.title = title
        self.properties = {
            "title": title,
            "eo:cloud_cover": 12.5,
            "file:size": size,
            "order:status": status,
            "eodag:provider": "cop_dataspace",
            "eodag:download_link": "https://catalogue.dataspace.copernicus.eu/odata/v1/x",
        }
        self.footprint = footprint

    def as_dict(self) -> dict:
        return {
            "type": "Feature",
            "id": self.title,
            "geometry": mapping(self.footprint),
            "properties": self.properties,
            "stac_version": "1.1.0",
        }


class Gateway:
    """Answers as eodag's gateway does: errors stand in the result, downloads as files on disk."""

    def __init__(self, sources: dict[str, Path], products: list[Product], errors=()) -> None:
        self.sources, self.products, self.errors = sources, products, list(errors)
        self.asked: list[dict] = []
        self.fetched: list[str] = []

    def search_all(self, **asked):
        self.asked.append(asked)
        sensor = asked["collection"][:2]
        found = [one for one in self.products if one.title.startswith(sensor)]

        class Result(list):
            errors = self.errors

        return Result(found)

    def download(self, product: Product, *, output_dir: str, extract: bool) -> str:
        assert extract is False
        source, folder = self.sources[product.title], Path(output_dir)
        (folder / ".downloaded").mkdir(parents=True, exist_ok=True)
        made = folder / f"{product.title}.zip"
        if source.is_dir():
            shutil.make_archive(str(made.with_suffix("")), "zip", source.parent, source.name)
        else:
            shutil.copy(source, made)
        (folder / ".downloaded" / "0a1b").write_text("https://catalogue")
        self.fetched.append(product.title)
        return str(made)


def asked(tmp_path: Path, script, *words: str) -> argparse.Namespace:
    """The command line over the ground of the generated archive, July 2022."""
    (tmp_path / "aoi.geojson").write_text(json.dumps(mapping(GROUND)))
    (tmp_path / "environment.json").write_text(
        json.dumps({"data_root": "data", "s2_root": "s2", "s3_root": "s3"})
    )
    line = f"--environment {tmp_path}/environment.json --area {tmp_path}/aoi.geojson"
    line += " --start 2022-07-01 --end 2022-08-01"
    return script.arguments().parse_args([*line.split(), *words])


def test_the_newest_product_of_an_acquisition_is_taken(script):
    newest = SCENE.format("0510", "20240801T000000")
    products = [
        Product(SCENE.format("0400", "20220714T212611")),
        Product(newest),
        Product(SCENE.format("9999", "20240901T000000")),
        Product(SCENE.format("0510", "20240701T000000"), box(-80.0, 72.0, -79.0, 73.0)),
        Product(SCENE.format("0510", "20240902T000000"), status="orderable"),
        Product("S2A_OPER_PRD_MSIL1C_PDMC_20160101T000000"),
    ]
    items, left_out = script.read_items(products)
    # The part that shows other ground is a scene of its own.
    assert {item.title for item in items} == {newest, products[3].title}
    assert len(left_out) == 2 and "offline" in left_out[0] and "another form" in left_out[1]
    frames = [
        PASS.format("B", "20220714T174000", "20220714T174300", "NR").replace("0715T19", "0716T19"),
        PASS.format("B", "20220714T174001", "20220714T174300", "NT"),
        PASS.format("A", "20220714T174000", "20220714T174300", "NR"),
    ]
    items, _ = script.read_items(map(Product, frames))
    assert [item.title for item in items] == [frames[2], frames[1]]
    assert items[0].folder(Path("s2"), Path("s3")) == Path("s3/2022/07")


def test_pairs_are_near_in_time_and_cover_the_scene_the_nearest_first(script):
    scene = Product(SCENE.format("0400", "20220714T212611"))
    half = box(-81.0, 72.0, -79.0, 73.0)
    passes = [
        Product(PASS.format("A", "20220714T190000", "20220714T190300", "NT")),
        Product(PASS.format("B", "20220714T171900", "20220714T172200", "NT")),
        Product(PASS.format("C", "20220714T180000", "20220714T180300", "NT"), half),
        Product(PASS.format("D", "20220714T202000", "20220714T202300", "NT")),  # 3 h 1 min later
        Product(PASS.format("D", "20220714T210000", "20220714T210300", "NT").replace("1440", "1")),
    ]
    (scenes, _), (seen, _) = script.read_items([scene]), script.read_items(passes[:4])
    pairs = script.find_pairs(scenes, seen, 3.0, 0.6, 9)
    assert [pair.pass_.title[:3] for pair in pairs] == ["S3B", "S3A", "S3D"]
    assert pairs[0].gap_h == 0.0 and pairs[1].gap_h == pytest.approx(1.68, abs=0.01)
    (one,) = script.find_pairs(scenes, seen, 3.0, 0.0, 1)
    assert one.pass_.title[:3] == "S3B" and one.overlap == pytest.approx(1.0)
    assert len(script.find_pairs(scenes, seen, 2.0, 0.4, 9)) == 3


@pytest.fixture
def catalogue(tmp_path) -> Gateway:
    """The generated archive of step 40 as a data space has it."""
    root = _built()
    scenes = [open_s2(path) for path in sorted((root / "s2").iterdir())]
    passes = [open_s3(path) for path in sorted((root / "s3" / "2022" / "07").iterdir())]
    sources = {one.path.name.partition(".")[0]: one.path for one in [*scenes, *passes]}
    found = [
        Product(name.path.name.partition(".")[0], name.footprint) for name in [*scenes, *passes]
    ]
    return Gateway(sources, found)


def test_what_is_fetched_is_an_archive_that_step_20_lists(tmp_path, script, catalogue, capsys):
    words = ("--max-cloud", "40", "--tile", "17XNA")
    assert script.run(asked(tmp_path, script, *words), catalogue) == 0
    told = capsys.readouterr().out
    assert "2 scenes, 3 passes, 2 pairs" in told and "4 products to fetch, 4.0 GB" in told
    assert catalogue.fetched == [] and not (tmp_path / "s2").exists()
    scenes, passes = catalogue.asked
    assert scenes["collection"] == "S2_MSI_L1C" and scenes["provider"] == "cop_dataspace"
    assert scenes["eo:cloud_cover"] == 40.0 and scenes["grid:code"] == "MGRS-17XNA"
    assert passes["collection"] == "S3_EFR" and passes["geom"].equals(GROUND)
    assert (scenes["start"], scenes["end"]) == (
        "2022-07-01T00:00:00.000Z",
        "2022-08-01T00:00:00.000Z",
    )
    assert (passes["start"], passes["end"]) == (
        "2022-06-30T20:50:00.000Z",
        "2022-08-01T03:10:00.000Z",
    )

    for one in catalogue.products:  # what a temporary folder surely has room for
        one.properties["file:size"] = 1000
    assert script.run(asked(tmp_path, script, "--download"), catalogue) == 0
    assert len(catalogue.fetched) == 4
    again = asked(tmp_path, script, "--download")
    assert script.run(again, catalogue) == 0 and len(catalogue.fetched) == 4
    environment = ["--environment", str(tmp_path / "environment.json")]
    assert inventory.main([*environment, "--tile", "T17XNA", "--timediff", "3", "--verify"]) == 0
    listed = tmp_path / "data" / "_inventory" / f"{INVENTORY}.csv"
    listed.rename(listed.with_name("tiles.csv"))
    rows = rows_of(listed.parent)
    assert len(rows) == 2 and all(row["s3"].startswith("2022/07/S3") for row in rows)


def test_a_torn_download_is_fetched_again_and_a_failed_one_is_named(
    tmp_path, script, catalogue, capsys
):
    for one in catalogue.products:
        one.properties["file:size"] = 1000
    (tmp_path / "s2").mkdir()
    torn = tmp_path / "s2" / f"{catalogue.products[0].title}.zip"
    torn.write_bytes(b"PK\x03\x04 and no more")
    missing = catalogue.products[1].title
    del catalogue.sources[missing]
    assert script.run(asked(tmp_path, script, "--download"), catalogue) == 1
    assert f"failed: {missing}: KeyError" in capsys.readouterr().out
    assert catalogue.products[0].title in catalogue.fetched and len(catalogue.fetched) == 3


def test_what_stops_a_search_is_told(tmp_path, script, catalogue, monkeypatch):
    catalogue.errors = [("cop_dataspace", OSError("Name or service not known"))]
    with pytest.raises(InputError, match="cop_dataspace could not be asked for S2_MSI_L2A"):
        script.run(asked(tmp_path, script, "--level", "L2A"), catalogue)
    catalogue.errors = []
    with pytest.raises(InputError, match=r"GB are to be fetched, .* are free; make room"):
        for one in catalogue.products:
            one.properties["file:size"] = 10**18
        script.run(asked(tmp_path, script, "--download"), catalogue)
    monkeypatch.setitem(sys.modules, "eodag", None)
    with pytest.raises(MissingExtraError, match=r"requirements/eodag\.txt"):
        script.run(asked(tmp_path, script))
    swapped = '{"type": "Polygon", "coordinates": [[[72, -81], [72, -181], [73, -81], [72, -81]]]}'
    for text in ("{", '{"type": "Point", "coordinates": [1, 2]}', '{"type": "Polygon"}', swapped):
        (tmp_path / "bad.geojson").write_text(text)
        with pytest.raises(InputError, match=r"is no GeoJSON|has no polygon|give longitude, then"):
            script.read_area(tmp_path / "bad.geojson")
    with pytest.raises(InputError, match="cannot be read"):
        script.read_area(tmp_path / "none.geojson")
    (tmp_path / "bom.geojson").write_text(swapped.replace("-181", "-80"), encoding="utf-8-sig")
    assert script.read_area(tmp_path / "bom.geojson").area > 0
    wrong = [("--end", "tomorrow"), ("--timediff", "-3"), ("--timediff", "nan")]
    wrong += [("--max-cloud", "400"), ("--overlap", "7"), ("--partners", "0"), ("--limit", "-1")]
    for words in wrong:
        with pytest.raises(SystemExit):
            asked(tmp_path, script, *words)
    with pytest.raises(InputError, match="--tile 'XYZ' is no MGRS tile"):
        script.run(asked(tmp_path, script, "--tile", "XYZ"), catalogue)
    late = asked(tmp_path, script)
    late.end = late.start
    with pytest.raises(InputError, match="--end is not after --start"):
        script.run(SimpleNamespace(**vars(late)), catalogue)
