"""Step 40 with ``--backend snap``: the same tiles, through a stand-in of esa_snappy."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensor2sensor import doctor
from sensor2sensor.core.errors import MissingExtraError, ProductError
from sensor2sensor.products import snap
from sensor2sensor.products.s3_pass import S3Pass
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from tests.fakes_snap import Snap
from tests.real_data import REPOSITORY
from tests.unit.preprocess.tifs_archive import folder_of, rows_of, scenes, select, step40, tree

RADIANCES = ",".join(f"Oa{number:02d}_radiance" for number in range(1, 22))


@pytest.fixture
def standin(monkeypatch):
    made = Snap()
    monkeypatch.setitem(sys.modules, "esa_snappy", made)
    return made


def test_the_tiles_are_those_of_our_own_collocation(both, standin):
    assert step40(both, "--quantity", "2") == 0
    own = tree(folder_of(both))
    folder_of(both).rename(both / "own")
    assert step40(both, "--quantity", "2", "--backend", "snap") == 0
    through_snap = tree(folder_of(both))
    tiles = [name for name in own if name.endswith((".tif", ".npz", ".csv"))]
    assert own.keys() == through_snap.keys() and len(rows_of(folder_of(both))) == 4
    assert all(through_snap[name] == own[name] for name in tiles)
    manifest = json.loads(through_snap["manifest.json"])
    assert manifest["options"]["backend"] == "snap"
    assert "SNAP" in manifest["formulas"]["collocation"]
    manifest = json.loads(own["manifest.json"])
    assert "backend" not in manifest["options"]
    assert "SNAP" not in manifest["formulas"]["collocation"]


def test_snap_is_asked_for_these_operators_with_these_parameters(both, standin):
    select(both, scenes(both)[0])
    assert step40(both, "--quantity", "2", "--backend", "snap") == 0
    rows = rows_of(folder_of(both))
    s2, s3 = (Path(rows[0][key]).name for key in ("s2", "s3"))
    pair = [f"{s2}_subset", f"{s3}_subset"]
    collocate = {
        "referenceProductName": pair[0],
        "targetProductType": "COLLOCATED",
        "renameReferenceComponents": "false",
        "renameSecondaryComponents": "false",
        "resamplingType": "NEAREST_NEIGHBOUR",
    }
    olci = {"sourceBands": f"{RADIANCES},quality_flags,s2s_column,s2s_row"}
    assert standin.calls[:3] == [
        ("BandSelect", {"sourceBands": "B2"}, [s2]),
        ("BandSelect", olci, [s3]),
        ("Collocate", collocate, pair),
    ]
    regions = [f"{row['x']},{row['y']},64,64" for row in rows]
    assert standin.calls[3:] == [
        ("Subset", {"region": region, "copyMetadata": "false"}, ["_".join(pair)])
        for region in regions
    ]
    gc.collect()
    assert all(product.disposed for product in standin.products)


def test_a_folder_of_the_other_backend_is_refused_and_finished_scenes_are_known(
    both, standin, capsys
):
    select(both, scenes(both)[1])
    assert step40(both, "--quantity", "1", "--backend", "snap") == 0
    capsys.readouterr()
    assert step40(both, "--quantity", "1", "--backend", "snap") == 0
    assert "0 done, 1 already there" in capsys.readouterr().out
    assert step40(both, "--quantity", "1") == 2
    assert "backend: snap (there) against nothing (asked)" in capsys.readouterr().err


def test_radiances_that_differ_from_the_file_fail_the_scene(both, monkeypatch, capsys):
    select(both, scenes(both)[1])
    monkeypatch.setitem(sys.modules, "esa_snappy", Snap(factor=1.01))
    assert step40(both, "--quantity", "1", "--backend", "snap") == 1
    said = capsys.readouterr()
    assert "SNAP reads" in said.out + said.err and "Oa01_radiance" in said.out + said.err
    assert not list(folder_of(both).glob("*.tif"))


@pytest.mark.parametrize(
    ("name", "what", "told"),
    [
        ("createProduct", RuntimeError("java.lang.Error: no BandSelect\n\tat x"), "no BandSelect"),
        ("readProduct", None, "no reader of SNAP knows this form of product"),
        ("getSceneRasterWidth", 7, "SNAP sees 7x384 pixels of 384x384"),
    ],
)
def test_what_snap_cannot_do_is_a_line_of_its_scene(
    both, standin, monkeypatch, capsys, name, what, told
):
    def answer(*given):
        if isinstance(what, Exception):
            raise what
        return what

    owner = "tests.fakes_snap.Product" if name.startswith("getScene") else "tests.fakes_snap.Snap"
    monkeypatch.setattr(f"{owner}.{name}", answer)
    assert step40(both, "--quantity", "1", "--backend", "snap") == 1
    said = capsys.readouterr()
    assert f"failed: scene {scenes(both)[0]:05d}: " in said.out and told in said.out
    assert "and 1 more like it" in said.out and "Traceback" not in said.err
    assert not list(folder_of(both).glob("*.tif"))


def test_pixels_outside_of_the_swath_are_none():
    position = np.array([[0.0, np.nan, 0.5, 1.49, 4864.5]], np.float32)
    assert snap._counted(position).tolist() == [[-1, -1, 0, 1, 4864]]


def _package(folder: Path, monkeypatch, *, connected: bool, ini: str | None = None) -> Path:
    """The files of an installed esa-snappy; importing it would be told of."""
    package = folder / "esa_snappy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise OSError('imported')\n")
    if connected:
        (package / "jpyutil.py").touch()
    if ini is not None:
        (package / "esa_snappy.ini").write_text(ini)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "esa_snappy", raising=False)
    monkeypatch.delenv("SNAP_HOME", raising=False)
    return package


def test_what_of_snap_is_missing_is_told_before_anything_starts(
    both, tmp_path, monkeypatch, capsys
):
    package = _package(tmp_path / "site", monkeypatch, connected=False)
    before = tree(tmp_path)
    assert step40(both, "--backend", "snap") == 2
    said = capsys.readouterr().err.strip()
    assert "esa-snappy is installed, but not connected to a SNAP; install SNAP 10" in said
    assert "snappy-conf" in said and len(said.splitlines()) == 1
    report = doctor._Report()
    doctor._tools(report)
    told = [line for line in capsys.readouterr().out.splitlines() if "SNAP" in line]
    assert len(told) == 1 and told[0].startswith("  note  no SNAP, for --backend snap")
    assert report.faults == 0 and tree(tmp_path) == before
    (package / "jpyutil.py").touch()
    with pytest.raises(MissingExtraError, match=r"its SNAP is not there \(none named\)"):
        snap.require_snap()


def test_where_snap_lies_is_read_as_esa_snappy_reads_it(tmp_path, monkeypatch):
    ini = f"[DEFAULT]\nsnap_home = {tmp_path}/100%\njava_max_mem: 3G\n"
    package = _package(tmp_path / "site", monkeypatch, connected=True, ini=ini)
    assert snap.missing() is not None and "100%" in snap.missing()[0]
    (tmp_path / "100%").mkdir()
    assert snap.missing() is None
    with pytest.raises(MissingExtraError, match=r"cannot start SNAP \(imported\)"):
        snap.load_snap()
    (package / "esa_snappy.ini").unlink()
    monkeypatch.setenv("SNAP_HOME", str(tmp_path))
    assert snap.missing() is None


def test_without_esa_snappy_the_line_says_how_to_install_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "esa_snappy", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    what, way = snap.missing()
    assert what == "esa-snappy is not installed" and "requirements/snap.txt" in way


# Version 1.1.3 of the real package, without SNAP: it asks for jpyutil, which snappy-conf unpacks.
REAL = """
import pathlib, sys
from sensor2sensor import doctor
from sensor2sensor.products import snap

before = sorted(pathlib.Path(sys.argv[1]).rglob("*")), list(sys.path), set(sys.modules)
doctor._tools(doctor._Report())
print(*snap.missing(), sep="; ")
assert snap.PACKAGE not in sys.modules and list(sys.path) == before[1]
try:
    import esa_snappy
except ModuleNotFoundError as error:
    print(error)
print(sorted(pathlib.Path(sys.argv[1]).rglob("*")) == before[0])
"""


@pytest.mark.skipif(importlib.util.find_spec("esa_snappy") is None, reason="not installed")
def test_the_real_package_without_snap(tmp_path):
    path = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": path}
    environment.pop("SNAP_HOME", None)
    done = subprocess.run(
        [sys.executable, "-B", "-c", REAL, str(tmp_path)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    *tools, told, error, unchanged = done.stdout.splitlines()
    assert tools[-1] == f"  note  no SNAP, for --backend snap of step 40 alone: {told}"
    assert told.startswith("esa-snappy is installed, but not connected to a SNAP; install SNAP 10")
    assert error == "No module named 'jpyutil'" and unchanged == "True"


def test_what_snap_has_no_form_for_is_refused_before_it_is_asked(both, standin):
    s2_path = next((both / "s2").glob("*.SAFE"))
    scene = open_s2(s2_path)
    frame = open_s3(next((both / "s3" / "2022" / "07").glob("*.SEN3")))
    refused = [
        (replace(scene, layout="COG"), frame, "no single SAFE product"),
        (scene, S3Pass((frame, frame)), "joined of several frames"),
    ]
    for s2, s3, told in refused:
        with pytest.raises(ProductError, match=told):
            snap.SnapWindow(s3, scene.grids[10], s2, s2_path)
    assert standin.calls == []
