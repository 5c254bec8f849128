"""LPIPS with generated weights against a forward pass in NumPy, and the file they are read from.

The public weights were not at hand: of the backbones none, of the linear heads those of the package
lpips, which were read once. What is tested is the arithmetic and the form of the files.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from sensor2sensor import lpips_weights
from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.vocabulary import undefined
from sensor2sensor.core import lpips_file
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.torchfile import read_state
from sensor2sensor.dataset.bands import BandStatistics
from sensor2sensor.evaluation.output import _metrics
from sensor2sensor.evaluation.run import Evaluation
from sensor2sensor.evaluation.scoring import Scorer
from sensor2sensor.metrics import compute
from sensor2sensor.report.file import Definition
from sensor2sensor.report.meanings import _meaning
from tests import fakes_dataset
from tests.fakes import torch_files
from tests.unit.metrics import oracles

COLOUR = (2, 1, 0)
RANGES = np.array([[0.0, 0.5], [0.0, 0.6], [0.1, 0.7]])
# Index among torchvision's modules, inputs, outputs, edge, stride, zeros around, maximum before.
ALEX = ((0, 3, 64, 11, 4, 2, 0), (3, 64, 192, 5, 1, 2, 3), (6, 192, 384, 3, 1, 1, 3),
        (8, 384, 256, 3, 1, 1, 0), (10, 256, 256, 3, 1, 1, 0))  # fmt: skip
HEADS = (64, 192, 384, 256, 256)


@pytest.fixture(scope="module")
def state():
    """An AlexNet and linear heads with random weights, by their names in PyTorch."""
    rng = np.random.default_rng(0)
    backbone = {}
    for index, inputs, outputs, side, *_ in ALEX:
        shape = (outputs, inputs, side, side)
        kernel = rng.normal(0, math.sqrt(2 / (inputs * side * side)), shape)
        backbone[f"features.{index}.weight"] = kernel.astype(np.float32)
        backbone[f"features.{index}.bias"] = rng.normal(0, 0.05, outputs).astype(np.float32)
    heads = {
        f"lin{i}.model.1.weight": rng.uniform(0, 1, (1, count, 1, 1)).astype(np.float32)
        for i, count in enumerate(HEADS)
    }
    return backbone, heads


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    """The file of weights, made by the command of a checkpoint of each form."""
    folder = tmp_path_factory.mktemp("lpips")
    backbone, heads, out = folder / "alexnet.pth", folder / "alex.pth", folder / "alex.npz"
    backbone.write_bytes(torch_files.zipped(state[0]))
    heads.write_bytes(torch_files.bare(state[1]))
    words = ["--net", "alex", "--backbone", str(backbone), "--heads", str(heads)]
    assert lpips_weights.main([*words, "--out", str(out)]) == 0
    return lpips_file.open_lpips(out)


def convolved(image, kernel, bias, stride, pad):
    """Correlation of ``[H, W, Ci]`` with ``[Co, Ci, h, w]``, and ReLU."""
    padded = np.pad(image, [(pad, pad), (pad, pad), (0, 0)])
    side = kernel.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    windows = windows[::stride, ::stride]
    return np.maximum(np.einsum("hwcij,ocij->hwo", windows, kernel, optimize=True) + bias, 0.0)


def expected(x, y, state):
    """LPIPS 0.1 of two images ``[H, W, 3]`` in [-1, 1], float64, from the paper's equation 1."""
    total = 0.0
    layers = [(i - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450] for i in (x, y)]
    for place, (index, _, _, _, stride, pad, pool) in enumerate(ALEX):
        made = []
        for image in layers:
            if pool:
                windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
                image = windows[::2, ::2].max(axis=(-2, -1))
            weights = [state[0][f"features.{index}.{part}"].astype(float)
                       for part in ("weight", "bias")]  # fmt: skip
            made.append(convolved(image, *weights, stride, pad))
        units = [i / (np.sqrt((i**2).sum(axis=-1, keepdims=True)) + 1e-10) for i in made]
        head = state[1][f"lin{place}.model.1.weight"].reshape(-1).astype(float)
        total += (((units[0] - units[1]) ** 2) @ head).mean()
        layers = made
    return total


def score(truth, guess, file, **options):
    asked = {"value_ranges": RANGES, "factor": 2.0, "profile": "extended", "colour": COLOUR}
    found = compute(truth, guess, names=["lpips"], lpips=file, **(asked | options))
    return found["lpips"].numpy()


def test_lpips_equals_the_papers_formula(file, state):
    truth = np.stack([oracles.texture(i, (64, 71, 3), high=0.8) for i in (1, 2)])
    noise = np.random.default_rng(6).normal(0, 0.05, truth.shape)
    guess = (0.8 * truth + noise).astype(np.float32)
    found = score(truth, guess, file)
    scaled = [
        2 * np.clip((i.astype(float) - RANGES[:, 0]) / np.diff(RANGES)[:, 0], 0, 1)[..., COLOUR] - 1
        for i in (truth, guess)
    ]
    wanted = [expected(scaled[0][i], scaled[1][i], state) for i in (0, 1)]
    assert min(wanted) > 0.01
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    holed = truth.copy()
    holed[1, 5, 5] = np.nan
    same = score(holed, truth, file)
    assert same[0] == pytest.approx(0.0, abs=1e-9) and math.isnan(same[1])


def test_lpips_is_refused_without_weights_colours_or_pixels(file):
    truth = np.full((1, 64, 64, 3), 0.3, np.float32)
    with pytest.raises(ConfigError, match="lpips needs a file of weights"):
        score(truth, truth, None)
    with pytest.raises(ConfigError, match="lpips needs red, green and blue"):
        score(truth, truth, file, colour=None)
    with pytest.raises(InputError, match="at least 64 x 64 pixels"):
        score(truth[:, :60], truth[:, :60], file)


def test_an_evaluation_names_the_weights_and_reports_tell_them_apart(file):
    draft = fakes_dataset.toy_contract("toy", "degraded", 4, 32, 0)
    band = BandStatistics(low=0.0, high=0.7, minimum=0.0, maximum=0.8, mean=0.2, std=0.1, count=9)
    contract = draft.model_copy(update={"statistics": {"target": (band,) * 3}})
    scorer = Scorer(contract, "extended", file)
    assert scorer.undefined["lpips"] == "undefined below 64 px"
    blind = undefined("extended", 3, 256, colour=False)
    assert blind == {"lpips": "undefined without red, green and blue"}
    assert "lpips" not in Scorer(contract, "extended").names
    made = Evaluation((), ("model",), ("lpips",), "extended", "test", 0, lpips=file)
    noted = _metrics(made)["lpips"]
    assert noted["weights"] == {
        "file": "alex.npz", "backbone": "alex", "sha256": file.sha256,
    }  # fmt: skip
    one = Definition(**noted)
    other = one.model_copy(update={"weights": {**noted["weights"], "sha256": "0"}})
    assert _meaning("lpips", one) != _meaning("lpips", other)


def test_the_file_is_found_below_data_root(file, tmp_path):
    settings = tmp_path / "environment.json"
    settings.write_text('{"data_root": "d", "lpips_weights": "alex.npz"}')
    assert load_environment(settings).lpips_weights == tmp_path / "d" / "alex.npz"
    settings.write_text("{}")
    assert load_environment(settings).lpips_weights is None
    with pytest.raises(ConfigError, match=r"no weights of LPIPS at .*alex.npz"):
        lpips_file.open_lpips(tmp_path / "alex.npz")


def test_all_forms_of_a_checkpoint_hold_the_same(state, tmp_path):
    small = {name: values for name, values in state[1].items() if "lin0" in name or "lin4" in name}
    forms = {"a.pth": torch_files.zipped(small), "b.pt": torch_files.bare(small)}
    forms["c.safetensors"] = torch_files.safetensors(small)
    np.savez(tmp_path / "d.npz", **small)
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    for name in (*forms, "d.npz"):
        found = lpips_weights.read(tmp_path / name)
        assert list(found) == list(small)
        for key, values in small.items():
            np.testing.assert_array_equal(found[key], values, err_msg=name)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (torch_files.zipped({}, b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR."), "os system"),
        (b"\x80\x02cos\nsystem\n.", "os system"),
        (torch_files.zipped({}, b"\x80\x02}."), "it has no tensor"),
        (torch_files.bare({"a": np.zeros(8, np.float32)})[:-4], "cut off|multiple of"),
        (
            torch_files.zipped(
                {"a": np.zeros((2, 3), np.float32)},
                torch_files.state({"a": np.zeros((2, 3), np.float32)}, strides=(1, 2)),
            ),
            "strides",
        ),
        (b"no checkpoint", "is no plain checkpoint"),
    ],
)
def test_what_is_no_plain_checkpoint_is_refused_and_not_run(tmp_path, data, says):
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_state(path)


def test_arrays_of_another_network_are_refused(state, file, tmp_path):
    with pytest.raises(InputError, match=r"no 'features\.2\.weight'"):
        lpips_weights.converted("vgg", *state)
    arrays = {**lpips_weights.converted("alex", *state)}
    arrays["head_2"] = -arrays["head_2"]
    with pytest.raises(ConfigError, match="head_2 has negative weights"):
        lpips_file.write_lpips(tmp_path / "x.npz", "alex", arrays)
    arrays["head_2"] = arrays["head_2"][:5]
    with pytest.raises(ConfigError, match=r"head_2 is \[5\], not \[384\] as of backbone alex"):
        lpips_file.write_lpips(tmp_path / "x.npz", "alex", arrays)
    np.savez(tmp_path / "y.npz", other=np.zeros(3))
    with pytest.raises(ConfigError, match="is no file of weights of LPIPS"):
        lpips_file.open_lpips(tmp_path / "y.npz")
    assert [one.index for one in lpips_file.BACKBONES["vgg"]] == [
        0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28,
    ]  # fmt: skip
    assert [i for i, one in enumerate(lpips_file.BACKBONES["vgg"]) if one.looked_at] == [
        1, 3, 6, 9, 12,
    ]  # fmt: skip
    assert file.backbone == "alex" and len(file.sha256) == 64
