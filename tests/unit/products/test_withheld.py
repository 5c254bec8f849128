"""What is withheld by the surroundings (a missing right, a missing driver) is no damage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.products.packed import NAME, pack

ROOT = Path(__file__).resolve().parents[3]
RIGHTS = "-dac_override,-dac_read_search"
# For the superuser rights count only without the powers to pass them by.
PLAIN = ["setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}"] if os.geteuid() == 0 else []
SOUND = "(Permission denied); the file may be sound; mend its surroundings and run again"
FIND = """
import sys
from pathlib import Path
from sensor2sensor.products.discovery import find_s2
found, failures = find_s2(Path(sys.argv[1]))
for one in failures:
    print(one.reason)
for product in found:
    try:
        product.verify(product.members_for(("B02", "B03"), 10))
        product.read_reflectance(("B02", "B03"), 10)
    except Exception as error:
        print(error)
"""


def said(root: Path, start: list[str] = PLAIN, **variables: str) -> list[str]:
    """What another process says of the products below a folder."""
    env = {**os.environ, **variables}
    command = [*start, sys.executable, "-c", FIND, str(root)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@contextmanager
def barred(path: Path) -> Iterator[None]:
    """No right to a path; skips where this system asks nobody for rights."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        if PLAIN and shutil.which("setpriv") is None:
            pytest.skip("the superuser may read everything, and there is no setpriv")
        look = [*PLAIN, "ls" if path.is_dir() else "cat", str(path)]
        if subprocess.run(look, capture_output=True, check=False).returncode == 0:
            pytest.skip("rights are not asked for here")
        yield
    finally:
        path.chmod(mode)


@pytest.mark.parametrize(
    "member", [".", "GRANULE", "MTD_MSIL1C.xml", "manifest.safe", "GRANULE/*/IMG_DATA/*_B03.jp2"]
)
def test_a_folder_without_rights_is_not_called_damaged(safe: Path, member: str) -> None:
    target = safe if member == "." else next(safe.glob(member))
    with barred(target):
        (line,) = said(safe.parent)
    assert SOUND in line and "fetch" not in line and target.name in line
    assert said(safe.parent) == []


@pytest.mark.parametrize("name", [f"{NAME}.zip", f"{NAME}.SAFE"])
def test_a_zip_without_rights_is_not_called_damaged(safe: Path, name: str) -> None:
    path = pack(safe, safe.parent / "tmp").rename(safe.parent / name)
    with barred(path):
        (line,) = said(safe.parent)
    assert f"{name}: cannot be read {SOUND}" in line


def test_a_driver_that_is_switched_off_is_named_and_no_file(safe: Path) -> None:
    (line,) = said(safe.parent, [], GDAL_SKIP="JP2OpenJPEG")
    assert line.endswith(
        "_B02.jp2: cannot be read, GDAL has no driver for JPEG 2000; GDAL_SKIP=JP2OpenJPEG"
        " switches drivers off: unset it"
    )
    band = next(safe.glob("GRANULE/*/IMG_DATA/*_B02.jp2"))
    band.write_bytes(b"<html>")
    (line,) = said(safe.parent, [], GDAL_SKIP="GIF")
    assert "fetch the product again" in line


def test_the_doctor_names_what_switches_a_driver_off() -> None:
    code = "from sensor2sensor import doctor; doctor._drivers(doctor._Report())"
    env = {**os.environ, "GDAL_SKIP": "JP2OpenJPEG"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert "FAULT JP2OpenJPEG is missing: GDAL_SKIP=JP2OpenJPEG switches" in done.stdout
    assert "ok    GTiff" in done.stdout
