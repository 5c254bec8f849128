"""One item of an archive never costs the others: bad dates, names that are no text."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.times import parse_utc
from sensor2sensor.preprocess import tilecodes
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.products.discovery import find_s2
from tests.fakes import make_s2
from tests.scripts.step_archive import fresh_copy
from tests.scripts.test_step20 import ALL_PAIRS, pairs

DATES = ["0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "soon"]


@pytest.fixture
def archive(tmp_path):
    return fresh_copy(tmp_path)


def step20(file: str, *options: str) -> int:
    call = ["--environment", file, "--tile", "T17XNA", "--timediff", "2.5", *options]
    return inventory.main(call)


def redated(source: Path, target: Path, file: str, element: str, date: str) -> None:
    """A copy of a product with another text in an element of one of its files."""
    shutil.copytree(source, target)
    (place,) = target.rglob(file)
    text = place.read_text(encoding="utf-8")
    changed = re.sub(f"<([a-z0-9-]+:)?{element}([^>]*)>[^<]*<", rf"<\1{element}\2>{date}<", text)
    assert changed != text
    place.write_text(changed, encoding="utf-8")


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize(
    ("archive_name", "file", "element"),
    [
        ("s2", "MTD_MSIL1C.xml", "DATATAKE_SENSING_START"),
        ("s2", "MTD_MSIL1C.xml", "GENERATION_TIME"),
        ("s3", "xfdumanifest.xml", "startTime"),
        ("s3", "xfdumanifest.xml", "creationTime"),
    ],
)
def test_a_bad_date_costs_its_product_alone(archive, capsys, archive_name, file, element, date):
    env, environment = archive
    root = env.s2_root if archive_name == "s2" else env.s3_root
    source = next(path for path in sorted(root.rglob("S*")) if path.is_dir())
    name = f"{source.name[:-5]}_X{source.suffix}"
    redated(source, root / name, file, element, date)
    assert step20(environment) == 1
    told = capsys.readouterr()
    assert pairs(env) == ALL_PAIRS
    (line,) = [line for line in told.out.splitlines() if line.startswith("  failed:")]
    assert name in line and element in line and repr(date) in line
    assert "Traceback" not in told.err


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_outside_the_calendar_is_none(text):
    with pytest.raises(InputError, match="is not an ISO 8601 time"):
        parse_utc(text)


def latin(folder: Path, text: str) -> Path:
    """A path whose last name is in Latin-1 bytes."""
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + text.encode("latin-1")))


def test_names_that_are_no_text_are_named_with_escapes_and_the_others_listed(archive, capsys):
    env, environment = archive
    folder = latin(env.s2_root, "München")
    folder.mkdir()
    good = next(path for path in sorted(env.s2_root.glob("S2*.SAFE")) if path.is_dir())
    shutil.copytree(good, folder / good.name)
    latin(env.s2_root, "S2A_MSIL1C_20220801T171911_N0400_R026_T17XNA_é.zip").write_bytes(b"broken")
    latin(env.s2_root, "réadme.txt").write_bytes(b"no product")
    assert step20(environment) == 1
    told = capsys.readouterr().out
    assert pairs(env) == ALL_PAIRS
    assert f"failed: {env.s2_root}/M\\xfcnchen/{good.name}: its path holds a byte" in told
    assert "T17XNA_\\xe9.zip: not a readable zip archive" in told
    assert "adme" not in told

    manifest = files.read_json(env.inventory_dir / "inv_T17XNA_2.5h.json")
    assert any("nchen" in str(entry) for entry in manifest["failed"])
    assert tilecodes.main(["--environment", environment]) == 1
    assert "M\\xfcnchen" in capsys.readouterr().out
    assert "M\\xfcnchen" in tilecodes.count_tile_codes(env.s2_root).table()


def renamed_inside(archive: Path, old: bytes, new: bytes, *, utf8: bool) -> None:
    """Change names inside a zip to other bytes of the same length, and the flag that says UTF-8."""
    assert len(old) == len(new)
    content = bytearray(archive.read_bytes().replace(old, new))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + flags + 1] = 8 if utf8 else 0
            place = content.find(signature, place + 4)
    archive.write_bytes(bytes(content))


@pytest.fixture
def zipped(tmp_path) -> Path:
    """A zip of a product below one more folder."""
    made = make_s2(
        tmp_path / "made", size_px=192, bands=("B02",), resolutions=(10,), quality_masks=False
    )
    target = tmp_path / "s2" / f"{made.stem}.zip"
    target.parent.mkdir()
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(made.rglob("*.*")):
            if path.is_file():
                archive.write(path, f"{made.name}/{path.relative_to(made)}")
        archive.writestr(f"{made.name}/Muenchen.txt", "a note")
    return target


def test_old_names_inside_a_zip_are_no_obstacle(zipped):
    renamed_inside(zipped, b"Muenchen", b"M\xfcnchenn", utf8=False)
    (product,), failures = find_s2(zipped.parent)
    assert not failures
    assert product.read_dn("B02", 10).shape == (192, 192)


def test_a_zip_that_promises_utf8_and_breaks_it_is_named(zipped):
    renamed_inside(zipped, b"Muenchen", b"M\xfcnchenn", utf8=True)
    found, (failure,) = find_s2(zipped.parent)
    assert not found
    assert "M\\xfcnchenn.txt' is no UTF-8; pack it anew" in failure.reason
