"""Steps 30, 40 and 50 in parts: joined they are one run's work, byte for byte; gaps are refused."""

from __future__ import annotations

import json
import re
import shutil
import threading
from pathlib import Path

import pytest

from sensor2sensor.core import files, parts
from sensor2sensor.core.errors import InputError
from sensor2sensor.preprocess.inventory import run as inventory
from sensor2sensor.preprocess.quicklooks import run as quicklooks
from sensor2sensor.preprocess.records import run as records
from tests.fakes_tiles import grid_tiles, write_tiles
from tests.unit.preprocess.tifs_archive import (
    FIRST,
    INVENTORY,
    SECOND,
    archive,
    folder_of,
    scene,
    scenes,
    select,
    step40,
    tree,
)  # fmt: skip

TILE = 16


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The archive of step 40 with a selection; steps leave what they make, and remove it first."""
    made = archive(tmp_path_factory.mktemp("parts") / "a")
    select(made, *scenes(made))
    return made


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """Tiles of step 40, one of them damaged so that it is refused."""
    made = tmp_path_factory.mktemp("tiles")
    roots = dict.fromkeys(("data_root", "experiment_root", "s2_root", "s3_root"), ".")
    (made / "environment.json").write_text(json.dumps(roots))
    folder = write_tiles(made, grid_tiles(5, 5, 20 * TILE), tile_px=TILE)
    (folder / "00000_0x0.tif").write_bytes(b"no tif")
    return made


def step30(root: Path, *options: str) -> int:
    common = ["--environment", str(root / "environment.json"), "--inventory", INVENTORY]
    return quicklooks.main([*common, *options])


def step40_here(root: Path, *options: str) -> int:
    return step40(root, "--quantity", "2", *options)


def step50(root: Path, *options: str) -> int:
    ratios = ["--train_ratio", "0.6", "--val_ratio", "0.4", "--block-tiles", "24"]
    common = ["--environment", str(root / "environment.json"), "--inventory", "inv_T17XNA_10h"]
    common += ["--dataset", "toy", "--tilesize", str(TILE), "--factors", "3", *ratios]
    return records.main([*common, *options])


CASES = {
    "30": (step30, lambda root: root / "data" / "_inventory" / INVENTORY, 0),
    "40": (step40_here, folder_of, 0),
    "50": (step50, lambda root: root / "alt3_toy" / str(TILE), 1),
}


@pytest.fixture(params=CASES)
def case(request, root, tiles):
    """Step, archive, the folder it makes, and its exit code there."""
    step, folder, code = CASES[request.param]
    place = tiles if request.param == "50" else root
    yield step, place, folder(place), code
    for made in ("_tif", "cur_toy", "alt3_toy"):
        if made != "_tif" or place is root:
            shutil.rmtree(place / made, ignore_errors=True)
    shutil.rmtree(place / "data" / "_tif", ignore_errors=True)


def whole(step, root, folder, code):
    """What one run leaves, after which nothing is there."""
    assert step(root) == code
    made = tree(folder)
    shutil.rmtree(folder)
    return made


def test_parts_joined_are_what_one_run_makes(case, capsys):
    step, root, folder, code = case
    made = whole(step, root, folder, code)
    # The third part of two scenes is empty.
    for number, lacking in ((3, "1/3, 2/3, 3/3"), (1, "1/3, 2/3"), (2, "2/3")):
        with pytest.raises(files.SimulatedCrash), files.crash_at_write(2):
            step(root, "--part", f"{number}/3")
            raise files.SimulatedCrash  # the empty one writes too little
        assert step(root, "--merge", "3") == 2
        told = f"parts are not done: {lacking}; run them (--part {lacking[:3]}), then --merge 3"
        assert told in capsys.readouterr().err
        step(root, "--part", f"{number}/3")
    assert step(root, "--part", "1/3") in (0, code)  # again, in vain
    assert step(root, "--merge", "3") == code
    assert tree(folder) == made
    assert step(root, "--merge", "3") in (0, 2)  # there is nothing to join any more
    assert step(root) == code and tree(folder) == made


@pytest.mark.parametrize("case", ["40"], indirect=True)
def test_parts_at_once_do_not_meet(case):
    step, root, folder, code = case
    made = whole(step, root, folder, code)
    codes = []

    def one(number):
        codes.append(step(root, "--part", f"{number}/2"))

    threads = [threading.Thread(target=one, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {0, code}
    assert step(root, "--merge", "2") == code and tree(folder) == made


def test_what_a_part_made_and_is_gone_is_no_gap_to_be_filled_in(case, capsys):
    step, root, folder, _ = case
    for number in (1, 2):
        step(root, "--part", f"{number}/2")
    made = [path for path in folder.rglob("*") if path.suffix in (".tif", ".png", ".tfrecord")]
    lost = sorted(made)[0]
    lost.unlink()
    assert step(root, "--merge", "2") == 2
    assert re.search("not as (its part|their parts) left", capsys.readouterr().err)
    assert not lost.exists()


@pytest.mark.parametrize("case", ["50"], indirect=True)
def test_other_options_or_another_version_are_named(case, capsys, monkeypatch):
    step, root, *_ = case
    step(root, "--part", "1/2")
    with monkeypatch.context() as patched:
        patched.setattr(parts, "__version__", "0.0.0")
        step(root, "--part", "2/2")
    capsys.readouterr()
    assert step(root, "--merge", "2") == 2
    told = capsys.readouterr().err
    assert "part 2/2 was made for something else: version: 0.0.0 (there)" in told
    assert "--part 2/2" in told


@pytest.mark.parametrize(
    ("step", "other"),
    [(step40_here, ["--seed", "1"]), (step50, ["--train_ratio", "0.5"])],
    ids=["40", "50"],
)
def test_parts_replace_nothing(root, tiles, capsys, step, other):
    place = tiles if step is step50 else root
    step(place)
    made = tree(place)
    for words in (["--part", "1/2"], ["--merge", "2"]):
        assert step(place, *other, "--force", *words) == 2
        assert "parts cannot replace" in capsys.readouterr().err
    assert tree(place) == made


def test_a_part_and_a_whole_run_never_work_in_one_folder(tmp_path):
    lock, one, two = tmp_path / ".x.lock", parts.Part(1, 2), parts.Part(2, 2)
    with parts.of_a_part(lock, one), parts.of_a_part(lock, two):
        with pytest.raises(files.InputError, match="in use by"), parts.of_the_whole(lock):
            pass
        with pytest.raises(files.InputError, match="in use by"), parts.of_a_part(lock, one):
            pass
    with (
        parts.of_the_whole(lock),
        pytest.raises(files.InputError, match="in use by"),
        parts.of_a_part(lock, one),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["3", "0/2", "3/2", "a/b", "1/2/3"])
def test_what_is_no_part_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        step50(Path("."), "--part", text)
    assert "is no part; the third of eight is 3/8" in capsys.readouterr().err


def test_notes_of_parts_that_took_an_item_twice_are_refused(tmp_path):
    whole = parts.Parts(tmp_path, {}, ["a", "b", "c"])
    for number in (1, 2):
        whole.end(parts.Part(number, 2), [])
    assert whole.collect(2).failed == {}
    note = whole.path(parts.Part(2, 2))
    content = json.loads(note.read_text())
    files.write_json(note, {**content, "took": ["b", "c"]})
    with pytest.raises(InputError, match="its parts have c not just once; repeat the parts"):
        whole.collect(2)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", '{"asked": {}, "took": null, "failed": {}, "note": {}}',
     '{"asked": {}, "took": [], "failed": ["x"], "note": {}}'],
)  # fmt: skip
def test_a_note_that_is_none_names_the_part_to_repeat(tmp_path, content):
    whole = parts.Parts(tmp_path, {}, ["a", "b"])
    for number in (1, 2):
        whole.end(parts.Part(number, 2), [])
    whole.path(parts.Part(2, 2)).write_text(content)
    with pytest.raises(InputError, match=r"00002-of-00002\.json.*; repeat --part 2/2"):
        whole.collect(2)


def test_a_dry_run_sees_that_parts_are_lacking(case, capsys):
    step, root, folder, _ = case
    shutil.rmtree(folder / parts.FOLDER, ignore_errors=True)
    step(root, "--part", "1/2")
    made = tree(folder)
    assert step(root, "--merge", "2", "--dry-run") == 2
    assert "parts are not done: 2/2" in capsys.readouterr().err
    assert tree(folder) == made


def test_products_of_one_name_are_items_of_their_own(tmp_path):
    """As the buckets name them: by number below the day, or by one name for all."""
    for day, sensing in (("14", FIRST), ("20", SECOND)):
        made = scene(tmp_path / day, sensing, cloud=0.0, zip=True)
        (tmp_path / "s2" / day).mkdir(parents=True)
        made.rename(tmp_path / "s2" / day / "product.zip")
    place = tmp_path / "environment.json"
    place.write_text(json.dumps({"data_root": "data", "s2_root": "s2"}))
    asked = ["--environment", str(place)]
    assert inventory.main([*asked, "--tile", "T17XNA", "--s2-only"]) == 0
    pictures = [*asked, "--inventory", "inv_T17XNA_s2"]
    for words in (["--part", "1/2"], ["--part", "2/2"], ["--merge", "2"]):
        assert quicklooks.main([*pictures, *words]) == 0
    assert len(list((tmp_path / "data").rglob("*.png"))) == 2
