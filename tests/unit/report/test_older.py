"""Evaluations of metrics version 1 still load, under the name of the HPSI they recorded."""

from __future__ import annotations

import json

import pytest

from sensor2sensor.core import files
from sensor2sensor.report import load
from tests.unit.report import folders


def as_version_1(path, *, bands):
    """The files as version 1 wrote them: one name for both variants, no field of version 2."""
    content = json.loads(path.read_text())
    content["metrics_version"] = 1
    del content["sam_left_out"]
    for definition in content["metrics"].values():
        del definition["undefined"]
    content["metrics"]["hpsi"]["label"] = "HPSI"
    ranges = content["dataset"]["value_ranges"].values()
    content["dataset"]["value_ranges"] = dict(zip(bands, ranges, strict=True))
    files.write_json(path, content)


@pytest.mark.parametrize(
    ("bands", "name", "label"),
    [
        (("B02", "B03", "B04"), "hpsi", "HPSI (colour)"),
        (("B08", "B11", "B12"), "hpsi_bands", "HPSI (mean of bands)"),
    ],
)
def test_the_recorded_bands_name_the_variant(tmp_path, bands, name, label):
    path = folders.add(tmp_path, "sis2/old", 0.7)
    before = load(tmp_path).results[0].table["hpsi"].tolist()
    as_version_1(path, bands=bands)
    found = load(tmp_path)
    assert not found.skipped
    result = found.results[0]
    assert next(iter(result.facts.metrics)) == name
    assert result.facts.metrics[name].label == label
    assert result.facts.summary["model"][name].count == folders.TILES
    assert result.facts.gain["bicubic"][name].count == folders.TILES
    assert result.table[name].tolist() == before


def test_numbers_of_two_versions_never_share_a_table(tmp_path):
    as_version_1(folders.add(tmp_path, "sis2/old", 0.7), bands=("B02", "B03", "B04"))
    folders.add(tmp_path, "sis2/new", 0.7)
    titles = [group.title for group in load(tmp_path).groups]
    assert len(titles) == 2
    assert sum("metrics of version 1" in title for title in titles) == 1
