"""Lists of ground that others test on."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensor2sensor.core.errors import InputError
from sensor2sensor.sources.exclusions import Exclusions, read_exclusions

TABLE = "vns_site,s2_tile,date,lr_file\nSO1,T31TCJ,2018-03-04,a.tif\nARM,14SPE,,b.tif\n"


def _read(tmp_path: Path, text: str, name: str = "list.csv") -> Exclusions:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_exclusions([path])


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({"site": "SO1", "tile": "31TCJ", "date": "20180304"}, 2),
        ({"site": "SO1", "tile": "T31TCJ", "date": "2018-03-04T10:00"}, 2),
        ({"site": "SO1", "tile": "31TCJ", "date": "2018-03-05"}, None),
        ({"site": "SO1", "tile": "31TDJ", "date": "2018-03-04"}, None),
        ({"site": "SO2", "tile": "31TCJ", "date": "2018-03-04"}, None),
        ({"site": "SO1"}, 2),  # nobody knows its date: it may be the one
        ({"site": "ARM", "tile": "14SPE", "date": "2019-01-01"}, 3),  # the table leaves it open
        ({"aoi": "SO1"}, None),
        ({"tile": "31TCJ", "date": "2018-03-04"}, None),
    ],
)
@pytest.mark.parametrize("between", [",", "\t", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_names_pairs(
    tmp_path: Path, asked: dict[str, str], line: int | None, between: str, end: str
) -> None:
    text = TABLE.replace(",", between).replace("\n", end)
    reason = _read(tmp_path, text).reason(**asked)
    assert reason == (None if line is None else f"excluded by list.csv:{line}")


def test_a_plain_list_names_sites_and_aois(tmp_path: Path) -> None:
    found = _read(tmp_path, "# tested on\nFR-LAM\n\nLandcover-753 # spot\n", "plain.txt")
    assert found.reason(site="FR-LAM", date="20180101") == "excluded by plain.txt:2"
    assert found.reason(aoi="Landcover-753") == "excluded by plain.txt:4"
    assert found.reason(site="FR-LA") is None
    assert found.names == ("plain.txt",)


def test_a_table_of_aois_does_not_take_their_dates(tmp_path: Path) -> None:
    found = _read(tmp_path, "aoi,date\nUNHCR-1,2020-01-01\n")
    assert found.reason(aoi="UNHCR-1", date="2021-05-05") == "excluded by list.csv:2"
    assert _read(tmp_path, "tile,n\nUNHCR-1,1\n").reason(aoi="UNHCR-1", date="2021-05-05")
    assert _read(tmp_path, "aoi\nUNHCR-1\n").reason(aoi="UNHCR-1") == "excluded by list.csv:2"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Amnesty_POI-20-2-2\n", {"aoi": "Amnesty POI-20-2-2"}),
        ("Amnesty POI-20-2-2\n", {"aoi": "Amnesty_POI-20-2-2"}),
        ("landcover-769970\n", {"aoi": "Landcover-769970"}),
        ("Landcover-769970\n", {"aoi": "LANDCOVER-769970"}),
        ("aoi,x\nLandcover-769970/,1\n", {"aoi": "Landcover-769970"}),
        ("Landcover-769970_ps.tiff\n", {"aoi": "Landcover-769970"}),
        ("a/L2A/Landcover-7-3-L2A_data.tiff\n", {"aoi": "Landcover-7"}),
        ("Landcover-769970\n", {"aoi": "Landcover-769970_hr.tif"}),
        ("site\nSUDOUE_4\n", {"site": "SUDOUE-4"}),
        ("FR-LAM.7z\n", {"site": "FR-LAM"}),
        ("vns_site,tile\nFR-LAM,t31tdh\n", {"site": "FR-LAM", "tile": "31TDH"}),
        ("vns_site,tile\nFR-LAM,31TDH\n", {"site": "fr-lam", "tile": "t31TDH"}),
    ],
)
def test_one_ground_has_many_spellings(tmp_path: Path, text: str, asked: dict[str, str]) -> None:
    assert _read(tmp_path, text).reason(**asked)
    others = {"site": "FR-LAM2", "aoi": "Landcover-7699", "tile": "31TDJ"}
    assert not _read(tmp_path, text).reason(**{key: others[key] for key in asked})


def test_entries_that_mean_nothing_are_found(tmp_path: Path) -> None:
    found = _read(tmp_path, TABLE)
    here = [("SO1", "31TCJ", "2018-03-04", None)] * 2
    (idle,) = found.unmatched(here)
    assert str(idle) == "list.csv:3 (ARM 14SPE)"
    assert not found.unmatched([*here, ("arm", None, None, None)])
    with pytest.raises(InputError, match=r"none of its 2 entries is in the data: list.csv:2 \(SO1"):
        found.unmatched([("SO1", "31TCJ", "2018-03-05", None)])


def test_a_list_of_which_nothing_matches_is_refused_beside_one_that_does(tmp_path: Path) -> None:
    for folder, name in (("a", "SO1"), ("b", "SO2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.txt").write_text(f"{name}\n")
    found = read_exclusions([tmp_path / "a/x.txt", tmp_path / "b/x.txt"])
    with pytest.raises(InputError, match=r"x.txt:1 \(SO2\); nearest: 'SO1'"):
        found.unmatched([("SO1", None, None, None)])
    assert not Exclusions().unmatched([("SO1", None, None, None)])
    # A data set that grows keeps its lists, which may be of its other folders.
    added = read_exclusions([tmp_path / "b/x.txt"], partial=True)
    assert len(added.unmatched([("SO1", None, None, None)])) == 1


def test_several_lists_add_up(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("A\n")
    second.write_text("B\n")
    found = read_exclusions([first, second])
    assert [found.reason(site=s) for s in "ABC"] == [
        "excluded by a.txt:1", "excluded by b.txt:1", None,
    ]  # fmt: skip
    assert read_exclusions([]).reason(site="A") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "excludes nothing"),
        ("# all of it\n", "excludes nothing"),
        ("image,score\n1,2\n", "no column of sites or AOIs, but image, score"),
        ("site,tile\n", "excludes nothing"),
        # Read as none it would leave out the site on all dates.
        ("site,date\nSO1,15/06/2018\n", "list.csv:2: '15/06/2018' is no date"),
    ],
)
def test_a_list_that_names_nothing_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        _read(tmp_path, text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="no text"):
        read_exclusions([tmp_path / "x"])
    with pytest.raises(InputError, match="cannot be read"):
        read_exclusions([tmp_path / "none"])


def test_a_column_of_another_kind_is_none(tmp_path: Path) -> None:
    """A tile of Sentinel-2 is no AOI because the column of sites is misspelt."""
    (tmp_path / "x.csv").write_text("vns_sites,tile\nFR-LAM,31TDH\n")
    with pytest.raises(InputError, match="no column of sites, but vns_sites, tile; name one vns_s"):
        read_exclusions([tmp_path / "x.csv"], of=["site"])
    found = read_exclusions([tmp_path / "x.csv"], of=["aoi"])
    assert [entry.aoi for entry in found.entries] == ["31TDH"]
    (tmp_path / "y.csv").write_text("site,tile\nFR-LAM,31TDH\n")
    with pytest.raises(InputError, match="no column of AOIs, but site, tile"):
        read_exclusions([tmp_path / "y.csv"], of=["aoi"])
