"""What ``train.py`` finds before it trains: each fault with its line, and nothing left on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evaluate
import train
from models.loading import list_models, load_gan_class
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.model_defaults import suited
from sensor2sensor.core.cli import main_guard
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.files import sha256
from tests import fakes_dataset
from tests.fakes_dataset import make_dataset

MODULE = (Path(__file__).parents[1] / "models" / "blueprint-model.txt").read_text()
SMALL = {"tilesize": 64, "steps": 2, "batch_size": 2, "params": {"width": 0.07}}
INIT = "        self.exp = experiment\n"
STEP = "    def train_step(self, input_image, target, step):\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_dataset(root, train=3, val=1, test=1)
    make_dataset(root, tile_px=96, train=2, val=1, test=1)
    return root


@pytest.fixture
def home(tmp_path, data):
    """A workplace; ``run`` writes an experiment, trains or checks it, and tells what came of it."""

    class Home:
        path = tmp_path
        data_root = data

        def environment(self):
            (self.path / "mine").mkdir(exist_ok=True)
            settings = {"data_root": str(self.data_root), "models_root": "mine"}
            (self.path / "environment.json").write_text(json.dumps(settings))

        def module(self, text, name="foreign"):
            self.environment()
            path = self.path / "mine" / f"{name}.py"
            path.write_text(text)
            return path

        def run(self, *words, **changes):
            self.environment()
            folder = self.path / "experiments" / "a"
            folder.mkdir(parents=True, exist_ok=True)
            settings = {"model_name": "pix2pix", "dataset": "alt6_toy", **SMALL, **changes}
            self.text = json.dumps(settings, indent=1)
            (folder / "experiment.json").write_text(self.text)
            environment = str(self.path / "environment.json")
            call = ["--environment", environment, "--exp", "a", *words]
            return main_guard(train.main, train.arguments(), call)

        def line_of(self, key):
            lines = self.text.splitlines()
            return next(number for number, line in enumerate(lines, 1) if f'"{key}"' in line)

        def files(self):
            found = [p for p in self.path.rglob("*") if "__pycache__" not in p.parts]
            return sorted(str(p.relative_to(self.path)) for p in found)

    return Home()


@pytest.mark.parametrize("words", [("--check",), ()], ids=["check", "training"])
@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"params": {"widht": 0.07}}, "widht", "params.widht: unknown parameter 'widht'; nearest"),
        ({"params": {"width": "a"}}, "width", "params.width: must be a number, not 'a'"),
        ({"normalisation": "standard"}, "normalisation", "normalisation: 'standard' leaves"),
        ({"tilesize": 96}, "tilesize", "tilesize: this model cannot take images of 96 x 96"),
        (
            {"model_name": "edsr", "gen_loss": {"gen_l1": 1, "gen_gan": 1}, "params": {}},
            "gen_gan", "gen_loss.gen_gan: 'gen_gan' needs disc_fake",
        ),
        ({"exclude_suffix": "_toy__00004_256x0"}, "exclude_suffix", "no test record is left of 1"),
        ({"enforce_suffix": "_notinmask"}, "enforce_suffix", "no val record is left of 1"),
        (
            {"sample_tiles": ["inv_toy__00003_192x0", "inv_toy__00004_255x0"]}, "sample_tiles",
            "sample_tiles: no tile 'inv_toy__00004_255x0' in val or test; nearest: 'inv_toy__0000",
        ),
        (
            {"sample_tiles": ["inv_toy__00000_0x0"]}, "sample_tiles",
            "sample_tiles: 'inv_toy__00000_0x0' is of train, which sheets never show",
        ),
    ],
    ids=["key", "type", "bounds", "size", "loss", "exclude", "enforce", "tile", "train tile"],
)  # fmt: skip
def test_a_fault_has_its_line_and_nothing_is_left(home, capsys, words, changes, key, message):
    assert home.run(*words, **changes) == 2
    err = capsys.readouterr().err.splitlines()
    assert home.files() == ["environment.json", "experiments", "experiments/a",
                      "experiments/a/experiment.json", "mine"]  # fmt: skip
    assert len(err) == 1
    assert f"experiment.json:{home.line_of(key)} " in err[0]
    assert message in err[0]


@pytest.mark.parametrize("words", [("--check",), ()], ids=["check", "training"])
@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (MODULE.replace(INIT, f"{INIT}        [][3]\n"), "[][3]", "IndexError: list index"),
        (MODULE.replace(STEP, f"{STEP}        {{}}['k']\n"), "{}['k']", "KeyError"),
        (MODULE.replace(STEP, f"{STEP}        target = target[:, :5]\n"), "real = self.",
         "found shape=(2, 5, 64, 3)"),
        (f"{MODULE}\nimport no_such_thing\n", "import no_such", "ModuleNotFoundError"),
        (f"{MODULE}\ndef f(:\n", "def f(:", "SyntaxError"),
    ],
    ids=["constructor", "step", "shape", "import", "syntax"],
)  # fmt: skip
def test_an_error_of_a_module_is_one_line_with_its_own(home, capsys, words, text, line, message):
    text = text if words else f"\n{text}"  # AutoGraph keeps equal code with its first file
    path = home.module(text)
    number = next(n for n, found in enumerate(text.splitlines(), 1) if line in found)
    assert home.run(*words, model_name="foreign", params={}) == 2
    out, err = capsys.readouterr()
    assert [name for name in home.files() if "/a/" in name] == ["experiments/a/experiment.json"]
    assert len(err.splitlines()) == 1
    assert f"{path}:{number}: " in err
    assert message in err
    assert "Traceback" not in out + err


def test_a_setting_that_a_module_ignores_has_its_line(home, capsys):
    home.module(MODULE)
    assert home.run("--check", model_name="foreign", params={}, ema=0.9) == 2
    err = capsys.readouterr().err
    assert f"experiment.json:{home.line_of('ema')} ema: the experiment asks for ema 0.9" in err
    assert "(foreign.py)" in err and len(err.splitlines()) == 1


def test_debug_shows_the_traceback_of_a_module(home, capsys):
    home.module(MODULE.replace(INIT, f"{INIT}        [][3]\n"))
    assert home.run("--check", "--debug", model_name="foreign", params={}) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err and "IndexError" in err


@pytest.mark.parametrize(("sample", "used", "said"), [(None, 3, "3"), (2, 2, "2 of 3")])
def test_a_passing_check_says_what_was_checked(home, capsys, sample, used, said):
    small = {"model_name": "edsr", "params": {"width": 0.07, "blocks": 1}}
    assert home.run("--check", batch_size=4, sample_train=sample, **small) == 0
    last = capsys.readouterr().out.splitlines()
    assert last[0] == f"{used} train tiles are fewer than batch_size 4: every batch repeats some"
    assert f"a: in order; {said} train, 1 val, 1 test tiles, model constructed with" in last[-1]
    assert "parameters, first step traced" in last[-1]
    assert [name for name in home.files() if "/a/" in name] == ["experiments/a/experiment.json"]


def test_a_default_that_does_not_suit_a_model_gives_way_with_a_line(home, capsys):
    small = {"width": 0.07, "blocks": 1}
    assert home.run("--check", model_name="edsr", params=small) == 0
    line = "edsr: gen_loss.gen_gan is null: its default 1.0 does not suit the model"
    assert line in capsys.readouterr().out
    assert home.run("--check", model_name="psgan") == 0
    line = 'psgan: normalisation is "minmax": its default "symmetric" does not suit the model'
    assert line in capsys.readouterr().out
    assert home.run("--check", model_name="psgan", normalisation="symmetric") == 2
    assert f"experiment.json:{home.line_of('normalisation')} " in capsys.readouterr().err


def test_what_the_user_wrote_stays_as_it_is():
    written = ExperimentFile(
        model_name="edsr", dataset="d", gen_loss={"gen_gan": 2.0}, normalisation="standard"
    )
    wanted = {"gen_loss.gen_gan": None, "normalisation": "minmax", "beta_1": 0.9}
    document = JsonDocument(Path("experiment.json"), {}, "")
    config, lines = suited(written, document, wanted)
    assert (config.gen_loss.gen_gan, config.normalisation, config.beta_1) == (2.0, "standard", 0.9)
    assert lines == ["beta_1 is 0.9: its default null does not suit the model"]
    for unknown in ("discriminator.nrom", "normalization"):
        with pytest.raises(ModelContractError, match=f"no key '{unknown}'"):
            suited(written, document, {unknown: 1})


@pytest.mark.slow
@pytest.mark.parametrize("name", list_models())
def test_every_model_takes_the_defaults_that_suit_it(home, capsys, name):
    params = {"edsr": {"blocks": 1}, "dsen2w": {"layers": 1}, "tarsgan": {"layers": 1}}
    params |= {"carn": {"cascades": 1, "blocks": 1}, "rrdb": {"blocks": 1}}
    params |= {"resnet_pix2pix": {"blocks": 1}, "srgan": {"blocks": 1}}
    params["dsen2cr"] = {"blocks": 1, "sar": False}  # these data have no radar
    small = {"width": 0.07, **params.get(name, {})}
    assert home.run("--check", model_name=name, params=small) == 0, capsys.readouterr().err
    assert callable(load_gan_class(name))


@pytest.mark.parametrize("words", [("--check",), ()], ids=["check", "training"])
def test_a_constant_target_band_is_refused_before_training(home, capsys, monkeypatch, words):
    home.data_root = _flat_data(home, monkeypatch)
    assert home.run(*words) == 2
    err = capsys.readouterr().err
    assert f"experiment.json:{home.line_of('dataset')} dataset: target band B03 is constant" in err
    assert "--bands" in err and len(err.splitlines()) == 1
    assert [name for name in home.files() if "/a/" in name] == ["experiments/a/experiment.json"]


def test_a_target_band_with_one_odd_pixel_has_no_span(home, capsys, monkeypatch):
    home.data_root = _flat_data(home, monkeypatch, odd=0.3)
    assert home.run("--check") == 2
    assert "target band B03 has no span" in capsys.readouterr().err


def _flat_data(home, monkeypatch, odd=0.05):
    """A data set whose B03 is 0.05 but for one pixel of every tile."""
    drawn, middle = fakes_dataset.scene, fakes_dataset.MARGIN_PX

    def flat(rng, size):
        picture = drawn(rng, size)
        picture[..., 1] = 0.05
        picture[middle, middle, 1] = odd
        return picture

    monkeypatch.setattr(fakes_dataset, "scene", flat)
    root = home.path.parent / f"{home.path.name}-data"
    make_dataset(root, train=3, val=1, test=1)
    return root


@pytest.mark.slow
def test_the_module_that_trained_is_recorded_and_a_change_of_it_is_said(home, capsys):
    path = home.module(MODULE, "pix2pix")
    assert home.run("--timestamp", "0715-0930", params={}) == 0
    assert f"model 'pix2pix' is {path}, which takes precedence" in capsys.readouterr().out
    record = json.loads((home.path / "experiments/a/logs/0715-0930/run.json").read_text())
    assert record["model"] == {"file": str(path), "sha256": sha256(path)}
    call = ["--environment", str(home.path / "environment.json"), "--exp", "a"]
    assert main_guard(evaluate.main, evaluate.arguments(), call) == 0
    assert "has changed" not in capsys.readouterr().out
    path.write_text(f"{MODULE}\n# another one\n")
    assert main_guard(evaluate.main, evaluate.arguments(), call) == 0
    assert f"{path} has changed since 0715-0930 was trained with it" in capsys.readouterr().out
    path.unlink()
    assert main_guard(evaluate.main, evaluate.arguments(), call) == 2
    assert f"0715-0930 was trained with {path}, which differs from" in capsys.readouterr().out
