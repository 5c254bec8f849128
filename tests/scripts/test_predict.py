"""predict.py from experiment to GeoTIFF: what evaluation scores, over whole products."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

import export
import predict
import several
import train
from sensor2sensor.inference.door import main as predict_exported
from sensor2sensor.inference.scenes.opening import open_scene
from tests.fakes import World, make_s2
from tests.fakes_dataset import make_dataset
from tests.scripts.test_evaluate import call, write_experiment

pytestmark = pytest.mark.slow

STAMP, SIDE = "0101-0000", 192
EDSR = {
    "model_name": "edsr", "dataset": "alt4_toy", "tilesize": 64, "steps": 2, "batch_size": 2,
    "gen_loss": {"gen_l1": 1}, "random_resize": 1, "input_upsampling": "bicubic",
    "params": {"width": 0.1, "blocks": 1, "shrink": 2},
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Two seeds of a network and a baseline, trained on one data set, and a product."""
    root = tmp_path_factory.mktemp("predict [ü] 1")
    make_dataset(root / "data", name="alt4_toy", factor=4, train=4, val=1, test=1)
    (root / "environment.json").write_text("{}")
    write_experiment(root, "a/edsr", {**EDSR, "seed": 1})
    write_experiment(root, "a/other", {**EDSR, "seed": 2})
    write_experiment(
        root, "a/bicubic", {"model_name": "bicubic", "dataset": "alt4_toy", "tilesize": 64}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(several, "evaluate_run", lambda *_, **__: None)  # of no interest
        for name in ("a/edsr", "a/other", "a/bicubic"):
            done = call(root, train, "--exp", name, "--timestamp", STAMP)
            assert done.returncode == 0, done.stderr[-2000:]
    make_s2(root / "s2", world=World(7, epsg=32617), size_px=SIDE, resolutions=(10,))
    return root


def product_of(place: Path) -> Path:
    (found,) = (place / "s2").glob("*.SAFE")
    return found


def predicted(place: Path, out: Path, *words: str, exp: str = "a/edsr"):
    done = call(
        place, predict, "--product", str(product_of(place)), "--out", str(out), *words,
        "--exp", *exp.split(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with rasterio.open(out) as source:
        return source.read(), source.profile, source.descriptions


def member(place: Path, exp: str):
    """Experiment, run and model of an experiment."""
    from experiment import Experiment
    from models.loading import find_gan_class
    from sensor2sensor.config.environment import load_environment
    from sensor2sensor.core.runs import find_run
    from sensor2sensor.training.trained import trained

    environment = load_environment(place / "environment.json")
    experiment = Experiment(exp, environment, timestamp=STAMP, as_run=True)
    run = find_run(experiment.exp_dir, STAMP)
    made = find_gan_class("edsr", environment.models_root, print, ())
    return trained(experiment, run, made, say=lambda _: None)[:2]


def test_a_product_in_windows_is_what_the_network_makes_of_all_of_it(place, tmp_path):
    from sensor2sensor.dataset.form import form_of
    from sensor2sensor.dataset.upsampling import upsample
    from sensor2sensor.predictors.export import of_any_size

    made, profile, names = predicted(place, tmp_path / "out.tif", "--window-px", "48")
    experiment, gan = member(place, "a/edsr")
    scene = open_scene(product_of(place), form_of(experiment.contract))
    whole = scene.window(scene.frame.full_window).record
    network = gan.generator
    given = experiment.normaliser.input(upsample(whole, "bicubic")[np.newaxis])
    wanted = experiment.normaliser.restore(of_any_size(network)(given, training=False)).numpy()[0]
    edge = 40  # what the network and the interpolation see beyond the product
    inner = slice(edge, -edge)
    np.testing.assert_allclose(
        made[:, inner, inner], np.moveaxis(wanted, -1, 0)[:, inner, inner], atol=2e-6
    )
    assert names == ("B02", "B03", "B04") and profile["crs"] == "EPSG:32617"
    assert (
        made.shape == (3, SIDE, SIDE) and tuple(profile["transform"])[:6] == scene.frame.transform
    )
    assert np.abs(made - predicted(place, tmp_path / "b.tif", exp="a/bicubic")[0]).max() > 1e-3


def test_seeds_give_their_mean_and_spread(place, tmp_path):
    both, _, names = predicted(place, tmp_path / "both.tif", exp="a/edsr a/other")
    single = [
        predicted(place, tmp_path / f"{n}.tif", exp=exp)[0]
        for n, exp in enumerate(("a/edsr", "a/other"))
    ]
    assert names == ("B02", "B03", "B04", "B02_std", "B03_std", "B04_std")
    np.testing.assert_allclose(both[:3], np.mean(single, axis=0), atol=1e-6)
    np.testing.assert_allclose(both[3:], np.std(single, axis=0, ddof=1), atol=1e-6)
    said = json.loads((tmp_path / "both.json").read_text())["properties"]["s2s:model"]
    assert [one["experiment"] for one in said["members"]] == ["a/edsr", "a/other"]


def test_the_exported_file_makes_the_same(place, tmp_path):
    wanted, _, _ = predicted(place, tmp_path / "here.tif")
    done = call(place, export, "--exp", "a/edsr", "--out", str(tmp_path / "files"))
    assert done.returncode == 0, done.stderr
    (model,) = (tmp_path / "files").glob("*.onnx")
    assert json.loads(model.with_suffix(".json").read_text())["size_px"] is None
    words = ["--model", str(model), "--product", str(product_of(place))]
    assert predict_exported([*words, "--out", str(tmp_path / "there.tif")]) == 0
    with rasterio.open(tmp_path / "there.tif") as source:
        np.testing.assert_allclose(source.read(), wanted, atol=1e-5)


def test_a_smaller_halo_than_the_measured_one_is_said(place, tmp_path):
    out, words = tmp_path / "o.tif", ["--product", str(product_of(place)), "--overlap-px", "4"]
    done = call(place, predict, "--exp", "a/edsr", *words, "--out", str(out))
    (line,) = [line for line in done.stdout.splitlines() if "borders of windows show" in line]
    said = json.loads(out.with_suffix(".json").read_text())["properties"]["s2s:notices"][-1]
    assert line.endswith(said) and said.startswith("--overlap-px 4: less than the ")


def test_a_part_is_that_part_of_the_whole(place, tmp_path):
    whole, profile, _ = predicted(place, tmp_path / "whole.tif")
    part, own, _ = predicted(place, tmp_path / "part.tif", "--roi-px", "41", "30", "50", "62")
    # Grown to whole pixels of the input, four of the result.
    np.testing.assert_allclose(part, whole[:, 28:92, 40:92], atol=2e-6)
    assert own["transform"] == profile["transform"] * rasterio.Affine.translation(40, 28)
    corner = profile["transform"] * (41, 92)
    far = profile["transform"] * (91, 30)
    box = map(str, (*corner, *far))
    again, _, _ = predicted(place, tmp_path / "again.tif", "--roi", *box)
    np.testing.assert_array_equal(again, part)


def test_one_of_several_products_that_is_damaged_costs_itself_alone(place, tmp_path, capsys):
    shutil.copytree(product_of(place), tmp_path / "in" / product_of(place).name)
    other = product_of(place).name.replace("S2A", "S2B")
    broken = tmp_path / "in" / other
    shutil.copytree(product_of(place), broken)
    (bands,) = broken.glob("GRANULE/*/IMG_DATA")
    (image,) = bands.rglob("*B03*.jp2")
    image.write_bytes(image.read_bytes()[:500])
    words = ["--product", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    done = call(place, predict, "--exp", "a/edsr", *words)
    assert done.returncode == 1 and "1 done, 0 already there, 1 failed" in done.stdout
    assert [path.suffix for path in sorted((tmp_path / "out").glob("S2*"))] == [".json", ".tif"]


@pytest.mark.parametrize(("words", "said"), [
    (["--product", "nowhere"], "nowhere"),
    (["--product", "{s2}", "--scale", "0.0001"], "--scale, .* says nothing to a Sentinel-2"),
    (["--product", "{s2}", "--roi-px", "500", "0", "9", "9"], "no pixel lies in --roi"),
    (["--product", "{s2}", "--samples", "3"], "without dropout every draw is the same"),
    (["--product", "{s2}", "--input-m", "60"], "60"),
    (["--product", "{s2}", "--dtype", "uint8"], "uint8 holds 8-bit pictures"),
    (["--product", "{s2}", "--as-dataset"], "--as-dataset"),
    (["--product", "{s2}", "--roi", "0", "0", "1", "2", "--roi-px", "0", "0", "1", "2"], "both"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line(place, tmp_path, words, said):
    words = [word.format(s2=product_of(place)) for word in words]
    done = call(place, predict, "--exp", "a/edsr", "--out", str(tmp_path / "o.tif"), *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert re.search(said, done.stderr), done.stderr
    assert not list(tmp_path.glob("o*"))


@pytest.mark.parametrize(("exps", "words", "said"), [
    ("a/bicubic", ["--set", "inference.dropout=true"], "--set: says nothing to a/bicubic"),
    ("a/bicubic", ["--samples", "3"], "--samples: a/bicubic is a baseline, which has no spread"),
    ("a/edsr a/bicubic", [], "--exp: a/bicubic is a baseline, which has no spread"),
    ("a/bicubic a/edsr", [], "--exp: a/bicubic is a baseline, which has no spread"),
])  # fmt: skip
def test_a_baseline_draws_nothing(place, tmp_path, exps, words, said):
    words = ["--product", str(product_of(place)), "--out", str(tmp_path / "o.tif"), *words]
    done = call(place, predict, "--exp", *exps.split(), *words)
    assert done.returncode == 2 and said in done.stderr and not list(tmp_path.iterdir())


def test_nothing_that_is_read_is_written_over(place, tmp_path):
    product = str(product_of(place))
    done = call(
        place, predict, "--exp", "a/edsr", "--force", "--product", product,
        "--out", f"{product}/MTD.tif",
    )  # fmt: skip
    assert done.returncode == 2 and "would be written over what is read" in done.stderr


def test_what_lies_beside_a_prediction_is_ours_or_stays(place, tmp_path):
    out, words = tmp_path / "out.tif", ["--product", str(product_of(place))]
    (tmp_path / "out.json").write_text('{"mine": 1}')
    done = call(place, predict, "--exp", "a/edsr", *words, "--out", str(out))
    assert done.returncode == 2 and "out.json" in done.stderr and "out.tif is not" in done.stderr
    assert (tmp_path / "out.json").read_text() == '{"mine": 1}' and not out.exists()
    (tmp_path / "out.json").unlink()
    predicted(place, out, "--quicklook")
    listed = json.loads((tmp_path / "out.json").read_text())["assets"]
    assert set(listed) == {"prediction", "png"}
    predicted(place, out)  # as it is: what was beside it still is
    assert set(json.loads((tmp_path / "out.json").read_text())["assets"]) == {"prediction", "png"}
    predicted(place, out, "--force", exp="a/other")  # another: the old picture would show the first
    assert set(json.loads((tmp_path / "out.json").read_text())["assets"]) == {"prediction"}
    assert not (tmp_path / "out.png").exists()


def test_a_run_or_a_product_that_changed_is_another_request(place, tmp_path):
    shutil.copytree(place / "s2", tmp_path / "s2")
    (product,) = (tmp_path / "s2").glob("*.SAFE")
    words = ["--exp", "a/edsr", "--product", str(product), "--out", str(tmp_path / "o.tif")]
    assert call(place, predict, *words).returncode == 0
    assert "is there already" in call(place, predict, *words).stdout
    (image,) = product.rglob("T*_B03.jp2")
    content = bytearray(image.read_bytes())
    content[-40] ^= 1  # of the same size
    image.write_bytes(content)
    done = call(place, predict, *words)
    assert done.returncode == 2 and "of another request" in done.stderr


def test_one_experiment_named_twice_is_one(place, tmp_path):
    _, _, names = predicted(place, tmp_path / "o.tif", exp="a/edsr a/edsr")
    assert names == ("B02", "B03", "B04")


@pytest.mark.parametrize("words", [
    ["--roi", "inf", "0", "1", "2"], ["--input-m", "0"], ["--input-m", "nan"], ["--scale", "inf"],
    ["--offset", "nan"], ["--bbox", "0", "0", "1", "inf"],
])  # fmt: skip
def test_a_number_that_is_none_is_refused_by_the_command_line(words):
    with pytest.raises(SystemExit) as ended:
        predict.arguments().parse_args(["--exp", "a/edsr", "--product", "p", *words])
    assert ended.value.code == 2


def test_what_is_set_for_a_prediction_is_part_of_the_request(place, tmp_path):
    words = ["--exp", "a/edsr", "--product", str(product_of(place))]
    out = ["--out", str(tmp_path / "o.tif")]
    assert call(place, predict, *words, *out).returncode == 0
    done = call(place, predict, *words, *out, "--set", "inference.norm=batch")
    assert done.returncode == 2 and "of another request" in done.stderr


def test_a_folder_of_earlier_results_is_no_input(place, tmp_path):
    shutil.copytree(product_of(place), tmp_path / product_of(place).name)
    for again in (False, True):
        done = call(
            place, predict, "--exp", "a/edsr", "--product", str(tmp_path), "--quicklook",
            "--out", str(tmp_path),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("is there already" in done.stdout) == again
    assert len(list(tmp_path.glob("*.tif"))) == 1


def test_a_strip_that_a_disk_damaged_is_made_again(place, tmp_path, monkeypatch):
    wanted, _, _ = predicted(place, tmp_path / "a.tif", "--window-px", "48")
    from sensor2sensor.core import files

    out = tmp_path / "b.tif"
    words = ["--exp", "a/edsr", "--product", str(product_of(place)), "--window-px", "48"]
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(4):
        call(place, predict, *words, "--out", str(out))
    (first, *_) = sorted((tmp_path / "b.tif.part").glob("*.npy"))
    first.write_bytes(first.read_bytes()[:60])
    made, _, _ = predicted(place, out, "--window-px", "48")
    np.testing.assert_array_equal(made, wanted)
