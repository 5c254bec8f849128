"""A wheel built here, installed into an environment without TensorFlow, and used there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import rasterio

from sensor2sensor.inference.door import main as predict
from tests.fakes.onnx_files import toy_form, write_exported
from tests.fakes_dataset import make_dataset
from tests.scripts.step_archive import fresh_copy
from tests.unit.report import folders

pytestmark = pytest.mark.slow

SOURCES = ("pyproject.toml", "README.md", "LICENSE", "requirements", "sensor2sensor")
HIDDEN = ("tensorflow", "keras", "tensorboard", "sensor2sensor", "pip", "__pycache__")
HIDDEN += ("tf2onnx", "onnx-", "onnx.")  # they write models; onnxruntime runs them
HERE = Path(numpy.__file__).parents[1]  # the site-packages of this environment


def call(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "SENSOR2SENSOR"))}
    return subprocess.run(words, cwd=cwd, env=kept, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """The wheel, built from a copy: a build leaves folders beside its sources."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (repository / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(repository / name, copy / name, ignore=ignored)
        else:
            shutil.copy(repository / name, copy)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", out)
    done = call(sys.executable, "-m", "pip", "wheel", *options, copy, cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = out.glob("sensor2sensor-*.whl")
    return made


@pytest.fixture(scope="module")
def light(wheel, tmp_path_factory):
    """``bin`` of a fresh environment: nothing is fetched, what is installed here is linked into it.

    All but TensorFlow; pip, which has no index to ask, fails where the wheel needs more.
    """
    made = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
    (packages,) = made.glob("lib/python*/site-packages")
    for there in HERE.iterdir():
        if not f"{there.name}.".startswith(HIDDEN) and there.suffix != ".pth":
            (packages / there.name).symlink_to(there)
    install = ("-m", "pip", "--python", made / "bin" / "python", "install", "--no-index", wheel)
    done = call(sys.executable, *install, cwd=made)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (packages / "sensor2sensor" / "py.typed").is_file()
    return made / "bin"


def test_the_library_is_imported_without_tensorflow(light, tmp_path):
    code = (
        "import importlib, sensor2sensor, sensor2sensor.report, sensor2sensor.products.discovery\n"
        "assert 'site-packages' in sensor2sensor.__file__\n"
        "try:\n importlib.import_module('tensorflow')\nexcept ImportError:\n print('none')\n"
    )
    done = call(light / "python", "-c", code, cwd=tmp_path)
    assert done.stdout == "none\n", done.stderr


def test_help_lists_the_steps(light, tmp_path):
    done = call(light / "s2s", "--help", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("usage: s2s ")
    assert "\n  inventory " in done.stdout and "\n  schemas " not in done.stdout


def test_an_environment_json_is_looked_for_in_the_working_folder(light, tmp_path):
    done = call(light / "s2s", "inventory", "--tile", "T17XNA", "--s2-only", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr == (
        f"s2s inventory: {tmp_path}: no environment.json in this folder; write one there, or name"
        " one with --environment or $SENSOR2SENSOR_ENVIRONMENT\n"
    )


def test_an_archive_becomes_an_inventory_with_quicklooks(light, tmp_path):
    env, _ = fresh_copy(tmp_path)
    done = call(light / "s2s", "inventory", "--tile", "T17XNA", "--timediff", "10", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = call(light / "s2s", "quicklooks", "--inventory", "inv_T17XNA_10h", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (env.inventory_dir / "inv_T17XNA_10h" / "index.html").is_file()


def test_what_needs_tensorflow_says_so_in_one_line(light, tmp_path):
    (tmp_path / "environment.json").write_text("{}")
    done = call(light / "s2s", "records", "--inventory", "i", "--dataset", "d", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "TensorFlow is not installed; pip install 'sensor2sensor[train]'" in done.stderr


def test_data_sets_are_verified_and_evaluations_compared(light, tmp_path):
    make_dataset(tmp_path, tile_px=32, train=2, val=1, test=1)
    done = call(light / "s2s", "verify", "alt6_toy", cwd=tmp_path)
    assert done.returncode == 0 and "2 train, 1 val, 1 test tiles" in done.stdout, done.stderr
    folders.add(tmp_path / "e", "sis2/one", 0.7, picture=False)
    done = call(light / "s2s", "report", "--evaluation", "e", cwd=tmp_path)
    assert done.returncode == 0 and "sis2/one" in done.stdout, done.stderr


def test_an_exported_model_is_applied_with_the_same_pixels(light, tmp_path, monkeypatch):
    form = toy_form(kind="paired", factor=2.0, degradation=None)
    grid = {"layout": "dense", "grid": (16, 16), "pixel_m": 20.0}
    form = form.model_copy(update={"input": form.input.model_copy(update=grid)})
    write_exported(tmp_path, form, upsampling="none", factor=2, gain=0.7)
    values = numpy.random.default_rng(0).uniform(-0.02, 0.6, (3, 50, 70)).astype(numpy.float32)
    with rasterio.open(
        tmp_path / "stack.tif", "w", driver="GTiff", count=3, height=50, width=70, dtype="float32",
        crs="EPSG:32631", transform=rasterio.Affine(20, 0, 399960, 0, -20, 4800000),
    ) as file:  # fmt: skip
        file.write(values)
        file.descriptions = ("B02", "B03", "B04")
    words = ["--model", "toy.onnx", "--product", "stack.tif", "--out"]
    done = call(light / "s2s", "predict", *words, "light.tif", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(tmp_path)
    assert predict([*words, "here.tif"]) == 0
    made = []
    for name in ("light.tif", "here.tif"):
        with rasterio.open(tmp_path / name) as file:
            assert file.descriptions == ("B02", "B03", "B04") and file.transform.a == 10
            made.append(file.read())
    numpy.testing.assert_array_equal(made[0], made[1])
    expected = numpy.float32(0.7) * values.repeat(2, 1).repeat(2, 2)
    numpy.testing.assert_allclose(made[0], expected, atol=1e-6)


def test_the_doctor_takes_a_light_installation_as_it_is(light, tmp_path):
    (tmp_path / "environment.json").write_text("{}")
    done = call(light / "s2s", "doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "note  no TensorFlow: no records, metrics and training" in done.stdout
