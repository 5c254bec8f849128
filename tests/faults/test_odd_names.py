"""A path is never the file's fault: every library reads and writes in folders of any name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from experiment import Experiment
from sensor2sensor.config.environment import ROOTS, load_environment
from sensor2sensor.core.archives import open_files
from sensor2sensor.core.errors import CheckpointError, ConfigErrors, ProductError
from sensor2sensor.core.runs import Run, find_run, list_runs
from sensor2sensor.dataset.contract import load_contract
from sensor2sensor.dataset.recordfile import iterate_refs, list_records
from sensor2sensor.geo.grids import PixelWindow
from sensor2sensor.geo.masks import load_masks
from sensor2sensor.preprocess.records.source import kin_of
from sensor2sensor.products.reading import naming_damage
from sensor2sensor.products.sentinel2 import open_s2
from sensor2sensor.products.sentinel3 import open_s3
from sensor2sensor.report import plots
from sensor2sensor.training.checkpoints import DAMAGED, save, stored_statistics
from sensor2sensor.training.pretrained import load_generator
from sensor2sensor.training.restoring import restore_for_inference, restore_latest
from sensor2sensor.training.run import train
from sensor2sensor.training.start import Start
from sensor2sensor.training.writers import Writers
from tests.fakes import make_s2, make_s3
from tests.fakes_dataset import make_dataset
from tests.faults.test_checkpoints import kernel, make
from tests.odd_names import EVERYTHING, ODD_NAMES, TOO_LONG
from tests.unit.training.tiny import TinyGAN

WINDOW = PixelWindow(10, 20, 30, 40)
KML = """<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>a</name><Placemark>
<Polygon><outerBoundaryIs><LinearRing><coordinates>0,0 1,0 1,1 0,1 0,0</coordinates></LinearRing>
</outerBoundaryIs></Polygon></Placemark></Folder></Document></kml>"""

odd = pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """Products in a folder and in a zip, in a place of a plain name."""
    root = tmp_path_factory.mktemp("plain")
    size = {"size_px": 192, "bands": ("B02",), "resolutions": (10,), "quality_masks": False}
    make_s2(root / "folders", **size)
    make_s2(root / "zips", zip=True, **size)
    make_s3(root / "folders", rows=17, columns=17)
    make_s3(root / "zips", rows=17, columns=17, zip=True)
    return root


@odd
def test_checkpoints_are_read_where_they_were_written(tmp_path, name):
    run = Run(tmp_path / name, "0715-0930")
    model, state = make(seed=1)
    kernel(model).assign(np.full(kernel(model).shape, 7.0, np.float32))
    save(run.ckpt_dir, state, 3)
    for read in (
        lambda other, filled: restore_latest(run.ckpt_dir, filled, repair=True),
        lambda other, filled: restore_for_inference(other, run, 3),
        lambda other, filled: load_generator(other, run)["step"],
    ):
        other, filled = make(seed=2)
        assert read(other, filled) == 3
        assert (kernel(other).numpy() == 7.0).all()
    assert len(stored_statistics(run.ckpt_dir, 3)) == len(state.statistics)
    assert not (run.ckpt_dir / DAMAGED).exists()


def test_nothing_that_cannot_be_opened_is_called_damaged(tmp_path, monkeypatch):
    """A missing right, a share that hangs: the checkpoint stays where it is, and no older one."""
    run = Run(tmp_path, "0715-0930")
    _, state = make()
    for step in (2, 4):
        save(run.ckpt_dir, state, step)
    before = sorted(path.name for path in run.ckpt_dir.iterdir())
    index, real = run.ckpt_dir / "ckpt-4.index", Path.open

    def refusing(path, *args, **options):
        if path == index:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **options)

    content = index.read_bytes()
    index.write_bytes(b"")  # what TensorFlow fails on
    monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(CheckpointError, match=r"ckpt-4\.index: cannot be read: Permission denied"):
        restore_latest(run.ckpt_dir, make()[1], repair=True)
    monkeypatch.undo()
    index.write_bytes(content)
    assert sorted(path.name for path in run.ckpt_dir.iterdir()) == before
    assert restore_latest(run.ckpt_dir, make()[1], repair=True) == 4


def test_files_that_tensorflow_does_not_find_by_name_stay_where_they_are(tmp_path, monkeypatch):
    run = Run(tmp_path, "0715-0930")
    save(run.ckpt_dir, make()[1], 2)

    def blind(prefix):
        raise tf.errors.NotFoundError(None, None, f"Failed to find any matching files for {prefix}")

    monkeypatch.setattr(tf.train, "load_checkpoint", blind)
    with pytest.raises(CheckpointError, match="does not find ckpt-2 by its name"):
        restore_latest(run.ckpt_dir, make()[1], repair=True)
    assert not (run.ckpt_dir / DAMAGED).exists()


@odd
def test_products_are_read_from_folders_and_zips(tmp_path, plain, name):
    shutil.copytree(plain, tmp_path / name)
    for place in ("folders", "zips"):
        expected = {path.name: path for path in (plain / place).iterdir()}
        for path in (tmp_path / name / place).iterdir():
            if path.name.startswith("S2"):
                found, truth = (
                    open_s2(one).read_dn("B02", 10, WINDOW) for one in (path, expected[path.name])
                )
            else:
                found, truth = (_radiance(one) for one in (path, expected[path.name]))
            np.testing.assert_array_equal(found, truth)


@odd
def test_a_zip_may_have_any_name_itself(tmp_path, plain, name):
    original = next((plain / "zips").glob("S2*.zip"))
    renamed = shutil.copy(original, tmp_path / f"{name}.zip")
    found, truth = (open_s2(Path(one)).read_dn("B02", 10, WINDOW) for one in (renamed, original))
    np.testing.assert_array_equal(found, truth)


def test_a_zip_that_gdal_cannot_open_by_its_name_is_not_called_damaged(tmp_path, plain):
    original = next((plain / "zips").glob("S2*.zip"))
    renamed = Path(shutil.copy(original, tmp_path / "S2A_MSIL1C_}{.SAFE"))
    with pytest.raises(ProductError, match=r"unpaired braces.*; add \.zip to its name"):
        open_s2(renamed).read_dn("B02", 10, WINDOW)


def _radiance(path: Path) -> np.ndarray:
    with open_s3(path).open() as reader:
        return reader.radiances(slice(2, 9), slice(3, 12), ("Oa08",))


@odd
def test_data_sets_logs_masks_and_runs_live_in_any_folder(tmp_path, name):
    root = tmp_path / name
    folder = make_dataset(root, name=f"cur_{name}", train=2, val=1, test=1)
    contract = load_contract(folder)
    records = list(iterate_refs(list_records(folder, "train"), contract))
    assert [record.target.shape for record in records] == [(64, 64, 3)] * 2
    assert kin_of(root, name, 64) == [folder]

    with Writers(root / "logs" / "0715-0930", start_step=0) as writers:
        writers.scalars(1, "train", {"gen": 1.0})
    assert list((root / "logs" / "0715-0930").glob("events.*"))
    (root / "logs" / "0715-0930" / "run.json").write_text('{"started": "2022"}')
    assert [run.timestamp for run in list_runs(root)] == ["0715-0930"]
    assert find_run(root, "0715-0930").exp_dir == root

    (root / f"{name}.kml").write_text(KML)
    assert load_masks(root, [name])[name].area == pytest.approx(1.0)


def test_signs_of_mathematics_in_a_name_are_drawn_as_they_stand():
    figure, axes = plots.figure(1, 1, 2)
    plots.draw_names(axes[0][0], ["$x$_$", "50% [1] \\frac{"])
    assert plots.png(figure).startswith(b"\x89PNG")


def test_a_run_trains_and_is_resumed_in_a_folder_named_with_all_of_them(tmp_path):
    root = tmp_path / EVERYTHING
    make_dataset(root / "data", train=2, val=1, test=1)
    (root / "environment.json").write_text(json.dumps({"ckpt_freq": 1, "sample_freq": 1}))
    environment = load_environment(root / "environment.json")
    folder = environment.experiment_root / EVERYTHING
    folder.mkdir(parents=True)
    settings = {"model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 64, "batch_size": 2}
    said: list[str] = []
    for steps, start in ((1, Start()), (2, Start(resume=True))):
        content = {**settings, "steps": steps, "sample_val": 1}
        (folder / "experiment.json").write_text(json.dumps(content))
        made = Experiment(EVERYTHING, environment, timestamp="0715-0930")
        train(TinyGAN, made, environment, start=start, steps=steps, say=said.append)
    kept = sorted(path.name for path in made.run.ckpt_dir.glob("ckpt-*.index"))
    assert kept == ["ckpt-1.index", "ckpt-2.index"]
    assert not (made.run.ckpt_dir / DAMAGED).exists()
    assert not [line for line in said if "left out" in line]


@pytest.mark.parametrize("key", ROOTS)
def test_a_root_longer_than_the_system_allows_is_bad_input_at_its_key(tmp_path, key):
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"environment": "here", key: TOO_LONG}, indent=1))
    pattern = rf"environment\.json:3 {key}: \d+ letters are more than the system allows"
    with pytest.raises(ConfigErrors, match=pattern):
        load_environment(file)


@pytest.mark.parametrize(
    ("root", "problem"),
    [
        ("D:\new\\s2", "control character; in a Windows path write"),
        ("~no-such-user/s2", "below the home of an unknown user"),
        ("a\x00b", "control character"),
    ],
)
def test_a_root_that_no_file_can_have_is_bad_input_at_its_key(tmp_path, root, problem):
    file = tmp_path / "environment.json"
    file.write_text(json.dumps({"s2_root": root}))
    with pytest.raises(ConfigErrors, match=f"environment.json:1 s2_root: .*{problem}"):
        load_environment(file)


def test_too_long_names_in_an_experiment_are_bad_input_at_their_key(tmp_path):
    (tmp_path / "environment.json").write_text("{}")
    environment = load_environment(tmp_path / "environment.json")
    folder = environment.experiment_root / "e"
    folder.mkdir(parents=True)
    content = {"model_name": "edsr", "dataset": TOO_LONG, "tilesize": 64, "steps": 1}
    (folder / "experiment.json").write_text(json.dumps(content))
    with pytest.raises(ConfigErrors, match=r"experiment\.json:1 dataset: \d+ letters are more"):
        Experiment("e", environment)


@pytest.mark.parametrize("number", [13, 24, 37, 116])
def test_what_surrounds_a_file_is_not_its_damage(tmp_path, number):
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["x"] = np.zeros(3)
    files = open_files(tmp_path)
    with (
        pytest.raises(ProductError, match=r"cannot be read \(.*the file may be sound") as caught,
        naming_damage(files, "a.nc"),
    ):
        raise OSError(number, "Unable to open file")
    assert "damaged" not in str(caught.value)
    with pytest.raises(ProductError, match="damaged or truncated"), naming_damage(files, "a.nc"):
        raise OSError("truncated file: eof = 96")
    with pytest.raises(ProductError, match="is missing"), naming_damage(files, "absent.nc"):
        raise OSError("no such file")
