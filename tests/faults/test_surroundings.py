"""What surrounds the work: file systems without locks, other programs' variables, narrow logs."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from sensor2sensor import doctor
from sensor2sensor.core import files, geodata
from sensor2sensor.core.parallel import reason_of
from sensor2sensor.core.streams import escaped
from sensor2sensor.products import chunks
from sensor2sensor.products.sentinel3 import open_s3
from tests.doors import HANG_S
from tests.fakes import make_s3


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    return make_s3(tmp_path / "s3", rows=33, columns=33)


def _radiance(path: Path) -> np.ndarray:
    with open_s3(path).open() as reader:
        return reader.radiances(slice(2, 9), slice(3, 12), ("Oa08",))


def test_an_archive_is_read_without_asking_for_locks(frame):
    """Where another holds the lock, or none is granted, HDF5 opens nothing by default."""
    expected = _radiance(frame)
    with ExitStack() as held:
        for path in frame.glob("*.nc"):
            fcntl.flock(held.enter_context(path.open("rb")), fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"):
            h5py.File(frame / "Oa08_radiance.nc", "r", locking=True)
        np.testing.assert_array_equal(_radiance(frame), expected)
        with chunks.unlocked(lambda **locks: h5py.File(frame / "Oa08_radiance.nc", "r", **locks)):
            pass


def test_a_file_that_is_open_with_a_lock_in_this_process_is_read_too(frame):
    expected = _radiance(frame)
    with h5py.File(frame / "Oa08_radiance.nc", "r"):
        np.testing.assert_array_equal(_radiance(frame), expected)


def _database(folder: Path, major: int, minor: int) -> Path:
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "proj.db")) as database:
        database.execute("create table metadata (key text primary key, value text)")
        key = "DATABASE.LAYOUT.VERSION"
        rows = [(f"{key}.MAJOR", str(major)), (f"{key}.MINOR", str(minor))]
        database.executemany("insert into metadata values (?, ?)", rows)
        database.commit()
    return folder


@pytest.fixture
def clean(monkeypatch):
    """No variable is set, and none was looked at yet."""
    for name in (*geodata.PROJ_VARIABLES, geodata.GDAL_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    geodata.set_aside.cache_clear()
    yield monkeypatch
    geodata.set_aside.cache_clear()


@pytest.mark.parametrize("name", ["PROJ_LIB", "PROJ_DATA", "GDAL_DATA"])
@pytest.mark.parametrize("kind", ["older", "empty", "absent", "no database", "two folders"])
def test_variables_of_other_programs_are_set_aside_and_named(clean, tmp_path, name, kind):
    folder = tmp_path / "other [1] #"
    if kind in ("older", "two folders"):
        _database(folder, 1, 0)
    elif kind == "no database":
        folder.mkdir()
        (folder / "proj.db").write_text("text")
    elif kind == "empty":
        folder.mkdir()
    value = f"{tmp_path}{os.pathsep}{folder}" if kind == "two folders" else str(folder)
    clean.setenv(name, value)
    (line,) = geodata.set_aside()
    assert f"{name}={value}" in line and name not in os.environ
    assert geodata.set_aside() == (line,)  # the doctor, which comes later, is told the same


def test_data_that_fit_are_left_to_the_user(clean, tmp_path):
    own = _database(tmp_path / "own", 1, 999)
    (own / "gdalvrt.xsd").touch()
    for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA"):
        clean.setenv(name, str(own))
    assert geodata.set_aside() == ()
    assert os.environ["PROJ_DATA"] == str(own)


ASKING = """
import sys
from sensor2sensor.core import cli
def act(args):
    from rasterio.crs import CRS
    from rasterio.warp import transform
    import pyproj
    CRS.from_epsg(32617)
    (x,), _ = transform("EPSG:4326", "EPSG:32617", [-81.0], [73.0])
    print(round(x), pyproj.CRS.from_epsg(32617).name)
    return 0
sys.exit(cli.main_guard(act, cli.parser("x", prog="x"), []))
"""


def test_a_door_knows_its_coordinate_systems_whatever_is_set(tmp_path, repository):
    other = str(_database(tmp_path / "postgis", 1, 0))
    env = {**os.environ, "PROJ_LIB": other, "PROJ_DATA": other, "GDAL_DATA": other}
    done = subprocess.run(
        [sys.executable, "-c", ASKING],
        cwd=repository, env=env, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "500000 WGS 84 / UTM zone 17N\n"
    for name in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA"):
        assert done.stderr.count(f"{name}={other}") == 1


def test_the_doctor_names_what_was_set_aside_and_what_still_fails(clean, tmp_path, capsys):
    from pyproj.exceptions import CRSError

    clean.setenv("PROJ_LIB", str(tmp_path))
    report = doctor._Report()
    doctor._coordinates(report)
    assert f"note  PROJ_LIB={tmp_path}" in capsys.readouterr().out
    assert report.faults == 0

    def fails():
        raise CRSError("no database context specified")

    clean.setenv("PROJ_DATA", "elsewhere")  # as where the libraries brought no data of their own
    clean.setattr(doctor, "_ask_pyproj", fails)
    doctor._coordinates(report)
    told = capsys.readouterr().out
    assert "FAULT pyproj knows no UTM zone" in told and "PROJ_DATA=elsewhere may be another" in told
    assert reason_of(CRSError("no database")).endswith(
        "PROJ_DATA=elsewhere may be another program's: unset it"
    )
    assert report.faults == 1


SAYING = """
import logging, sys
from sensor2sensor.core import cli
from sensor2sensor.core.parallel import parallel_map
from sensor2sensor.core.progress import progress

SIGNS = "\\u2191 \\u2013 \\u00b5 \\u65e5 M\\udcfcnchen"


def shout(item):
    print(SIGNS, flush=True)
    print(SIGNS, file=sys.stderr, flush=True)
    logging.getLogger("worker").warning(SIGNS)
    return item


def act(args):
    print(SIGNS)
    logging.getLogger("library").warning(SIGNS)
    list(progress([1], desc=SIGNS))
    done = list(parallel_map(shout, [1, 2], workers=args.workers, label=str, desc=SIGNS))
    assert [result for _, result in done] == [1, 2], done
    report = cli.StepReport("step")
    report.note(SIGNS)
    report.failed(SIGNS, SIGNS)
    return report.finish()


if __name__ == "__main__":
    sys.exit(cli.main_guard(act, cli.parser(SIGNS, prog="x", steps=True)))
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_signs_a_log_cannot_hold_cost_nothing(tmp_path, repository, encoding, workers):
    script = tmp_path / "door.py"
    script.write_text(SAYING)
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONPATH": str(repository)}
    for options, code in ((["--workers", workers], 1), (["--help"], 0)):
        done = subprocess.run(
            [sys.executable, str(script), *options],
            env=env, capture_output=True, timeout=HANG_S, check=False,
        )  # fmt: skip
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        assert b"Traceback" not in told and b"Logging error" not in told
        assert b"M\\xfcnchen" in done.stdout
        assert ("↑" if encoding == "utf-8" else "^ ").encode() in done.stdout


def test_names_that_are_no_text_can_be_written(tmp_path):
    name = os.fsdecode(b"M\xfcnchen")
    files.write_json(tmp_path / "a.json", {name: name})
    assert files.read_json(tmp_path / "a.json") == {name: name}
    files.write_csv(tmp_path / "a.csv", ["name"], [[name], ["µ"]])
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "name\nM\\xfcnchen\nµ\n"
    assert escaped(name) == "M\\xfcnchen"
