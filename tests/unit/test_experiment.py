"""What models see of an experiment, and what happens when it cannot be used."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from experiment import Experiment
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core.errors import ConfigError, ConfigErrors, DatasetError, InputError
from sensor2sensor.core.runs import Run
from sensor2sensor.pipeline.normalisation import Normalisation
from sensor2sensor.training.start import Start, find_pretrained, with_pretrained
from tests.fakes_dataset import make_dataset
from tests.fakes_extras import band, make_positions

MINIMAL = {"model_name": "pix2pix", "dataset": "alt6_toy", "tilesize": 32}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    make_dataset(folder / "data", name="alt6_toy", factor=6, tile_px=32, train=3, val=1, test=1)
    make_dataset(
        folder / "data", name="cur_toy", kind="sentinel3", tile_px=32, train=3, val=1, test=1
    )
    make_positions(folder / "data", factor=3, tile_px=12, train=1, val=1, test=1)
    (folder / "environment.json").write_text('{"data_root": "data", "experiment_root": "exp"}')
    return folder


@pytest.fixture
def environment(root: Path) -> Environment:
    return load_environment(root / "environment.json")


def write(root: Path, name: str, **keys: object) -> str:
    path = root / "exp" / name / "experiment.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**MINIMAL, **keys}, indent=1))
    return name


def test_defaults_and_attributes(root: Path, environment: Environment) -> None:
    name = write(root, "a/b/c")
    exp = Experiment(name + "/", environment, timestamp="0715-0930")
    assert exp.name == "a/b/c"
    assert (exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.TILESIZE) == (32, 32, 32)
    assert exp.INPUT_BANDS == exp.OUTPUT_BANDS == ("B02", "B03", "B04")
    assert (exp.INPUT_CHANNELS, exp.OUTPUT_CHANNELS, exp.SCALE) == (3, 3, 6.0)
    assert (exp.STEPS, exp.BATCH_SIZE, exp.LEARNING_RATE) == (40000, 16, 2e-4)
    assert (exp.config.random_resize, exp.config.random_rotate, exp.config.shuffle) == (
        1.11,
        True,
        True,
    )
    assert exp.GEN_LOSS["gen_l1"] == 100.0
    assert exp.GEN_LOSS["gen_nll"] is None
    assert exp.DISC_LOSS["disc_bce"] == 1.0
    assert (exp.GEN_LOSS.value_low, exp.GEN_LOSS.value_range) == ((-1.0,) * 3, (2.0,) * 3)
    assert exp.output.CKPT == str(root / "exp/a/b/c/ckpt/0715-0930")
    assert sorted(p.name for p in exp.exp_dir.iterdir()) == ["experiment.json"]


def test_read_only(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "ro", params={"width": 0.5}), environment)
    with pytest.raises(AttributeError):
        exp.STEPS = 3
    with pytest.raises(AttributeError, match="read-only"):
        exp.extra = 3
    with pytest.raises(TypeError):
        exp.PARAMS["width"] = 1
    with pytest.raises(TypeError):
        exp.GEN_LOSS["gen_l1"] = 1


def test_sentinel3_bands(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "s3", dataset="cur_toy"), environment)
    assert (exp.INPUT_HEIGHT, exp.INPUT_WIDTH, exp.EXTRAS) == (32, 32, ("time_gap_h",))
    assert exp.INPUT_CHANNELS == 21
    assert exp.INPUT_BANDS[7] == "Oa08"
    assert exp.INPUT_WAVELENGTHS_NM[7] == 665.0


def test_value_range_follows_the_normalisation(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "refl", normalisation="reflectance"), environment)
    ranges = exp.contract.target_ranges()
    low, high = exp.OUTPUT_RANGE
    assert low == pytest.approx(ranges[:, 0].min())
    assert high == pytest.approx(ranges[:, 1].max())


def test_a_bounded_model_s_value_range_lies_within_its_bounds(
    root: Path, environment: Environment
) -> None:
    """And the experiment it was made from stays an unbounded model's."""
    plain = Experiment(write(root, "bounded"), environment)
    bounded = Normalisation("symmetric", plain.contract, (-1.0, 1.0))
    exp = plain.normalised_by(bounded)
    low, high = exp.OUTPUT_RANGE
    assert -0.92 < low < -0.3 and 0.0 < high < 0.92  # room for a tenth of a span at least
    ends = list(zip(exp.GEN_LOSS.value_low, exp.GEN_LOSS.value_range, strict=True))
    assert ends == [(a, b - a) for a, b in bounded.value_ranges]
    assert plain.OUTPUT_RANGE == (-1.0, 1.0)
    with pytest.raises(AttributeError, match="read-only"):
        exp.STEPS = 3


def test_a_path_to_an_experiment_names_it(
    root: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = environment.experiment_root / write(root, "known/edsr")
    monkeypatch.chdir(folder.parent)
    for named in (str(folder), "edsr", "known/edsr/", "known/edsr/experiment.json"):
        assert Experiment(named, environment).name == "known/edsr", named
    # A folder whose name ends so is one all the same.
    assert Experiment(write(root, "myexperiment.json"), environment).name == "myexperiment.json"


def test_nearest_names(root: Path, environment: Environment) -> None:
    write(root, "known/edsr")
    with pytest.raises(InputError, match="nearest: 'known/edsr'"):
        Experiment("known/edrs", environment)
    with pytest.raises(InputError, match=r"no experiment '\.\./data'"):
        Experiment("../data", environment)
    with pytest.raises(ConfigErrors, match=r"experiment\.json:3 dataset: .*nearest: 'alt6_toy'"):
        Experiment(write(root, "x1", dataset="alt6_tyo"), environment)
    for path in ("alt6_toy/32", "..", "../data/alt6_toy", ""):
        with pytest.raises(ConfigErrors, match=r"experiment\.json:3 dataset: .* is a path"):
            Experiment(write(root, "x1", dataset=path), environment)
    with pytest.raises(
        ConfigErrors, match=r"experiment\.json:4 tilesize: 'alt6_toy' has tile sizes 32"
    ):
        Experiment(write(root, "x2", tilesize=64), environment)


def run_of(root: Path, name: str, stamp: str, started: str, *, saved: bool = True) -> None:
    log = root / "exp" / name / "logs" / stamp / "run.json"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps({"started": started}))
    ckpt = root / "exp" / name / "ckpt" / stamp
    ckpt.mkdir(parents=True, exist_ok=True)
    if saved:
        (ckpt / "ckpt-4.index").touch()


def test_a_pretrained_generator_is_a_run_or_the_latest(
    root: Path, environment: Environment
) -> None:
    write(root, "warm/up")
    run_of(root, "warm/up", "0715-0930", "2026-07-15T09:30:00Z")
    run_of(root, "warm/up", "0714-0930", "2026-07-14T09:30:00Z")
    for named, stamp in (("warm/up", "0715-0930"), ("warm/up/0714-0930", "0714-0930")):
        found = find_pretrained(
            Experiment(write(root, "p", pretrained_generator=named), environment), environment
        )
        assert found is not None
        assert (found.exp_dir, found.timestamp) == (root / "exp/warm/up", stamp)
    assert find_pretrained(Experiment(write(root, "p"), environment), environment) is None


def test_a_resumed_run_begins_with_no_other_and_restore_excludes_it(
    root: Path, environment: Environment
) -> None:
    write(root, "warm/up")
    run_of(root, "warm/up", "0715-0930", "2026-07-15T09:30:00Z")
    write(root, "p", pretrained_generator="warm/up")
    begun = Experiment("p", environment, timestamp="0716-0000")
    other = Run(begun.exp_dir, "0715-0000")
    find = partial(find_pretrained, begun, environment)
    found = with_pretrained(Start(resume=True), begun, find)  # it has no checkpoint yet
    assert found.pretrained == Run(root / "exp/warm/up", "0715-0930")
    with pytest.raises(InputError, match=r"--restore begins with a whole state.*use one"):
        with_pretrained(Start(source=other), begun, find)
    run_of(root, "p", "0716-0000", "2026-07-16T00:00:00Z")
    assert with_pretrained(Start(resume=True), begun, find).pretrained is None


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("warm/upp", "no experiment 'warm/upp'"),
        ("warm/unsaved/0716-0000", "no run '0716-0000'; runs there: 0715-0930"),
        ("warm/unsaved", "0715-0930: no checkpoint"),
    ],
)
def test_a_pretrained_generator_that_is_not_there_is_named_with_its_line(
    root: Path, environment: Environment, named: str, message: str
) -> None:
    write(root, "warm/unsaved")
    run_of(root, "warm/unsaved", "0715-0930", "2026-07-15T09:30:00Z", saved=False)
    exp = Experiment(write(root, "p", pretrained_generator=named), environment)
    with pytest.raises(ConfigErrors, match=rf"json:5 pretrained_generator: .*{message}"):
        find_pretrained(exp, environment)


def test_bicubic_needs_a_regular_grid(root: Path, environment: Environment) -> None:
    name = write(root, "x3", dataset="cur_toy", input_upsampling="bicubic")
    with pytest.raises(ConfigErrors, match="input_upsampling: bicubic needs a regular"):
        Experiment(name, environment)


OWN = {"dataset": "pos3_dense", "tilesize": 12, "input_upsampling": "none", "random_resize": 1.0}


def test_an_input_on_its_own_grid_is_smaller(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "own", **OWN, random_crop=True, img_height=6), environment)
    assert (exp.IMG_HEIGHT, exp.IMG_WIDTH, exp.INPUT_HEIGHT, exp.INPUT_WIDTH) == (6, 12, 2, 4)
    assert exp.EXTRAS == ("row", "coarse_row", "radar", "haze", "gap_h", "place")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"dataset": "cur_toy", "tilesize": 32},
            r"json:5 input_upsampling: 'none' needs a regular",
        ),
        (
            {"dataset": "alt6_toy", "tilesize": 32},
            "json:5 input_upsampling: 'none' needs a tile of",
        ),
        ({"img_width": 10}, r"json:7 img_width: 10 is not a multiple of the factor 3.*take 9"),
        ({"random_resize": 1.11}, 'random_resize: .* write "random_resize": 1.0'),
    ],
)
def test_an_own_grid_that_cannot_be_is_named_with_its_line(
    root: Path, environment: Environment, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigErrors, match=message):
        Experiment(write(root, "x5", **{**OWN, **keys}), environment)


def test_a_model_s_own_defaults_are_held_against_the_data_set_too(
    root: Path, environment: Environment
) -> None:
    class Model:
        @staticmethod
        def experiment_defaults(params: object) -> dict[str, object]:
            return {"input_upsampling": "none", "random_resize": 1.0}

    plain = Experiment(write(root, "x6", dataset="cur_toy"), environment)
    with pytest.raises(ConfigErrors, match="input_upsampling: 'none' needs a regular"):
        plain.suited_to(Model, print)
    own = Experiment(write(root, "x6", dataset="pos3_dense", tilesize=12), environment)
    assert own.INPUT_HEIGHT == 12 and own.suited_to(Model, print).INPUT_HEIGHT == 4


def test_a_data_set_other_than_expected_is_refused(root: Path, environment: Environment) -> None:
    name = write(root, "x7", expects={"target_bands": 3, "mask": "scl"})
    said = r"experiment\.json:\d+ expects\.mask: the data set 'alt6_toy' has no mask, and 'scl'"
    with pytest.raises(ConfigErrors, match=said):
        Experiment(name, environment)
    free = Experiment(name, environment, options=["expects=null"], timestamp="0101-0000")
    # A run goes by its own copy of its settings, and one from before knows nothing of the key.
    free.run.resolved.parent.mkdir(parents=True)
    settings = free.config.model_dump(mode="json", by_alias=True)
    for own, fine in ((settings.pop("expects"), True), ({"groups": ["S1"]}, False)):
        free.run.resolved.write_text(json.dumps(settings if fine else {**settings, "expects": own}))
        opened = partial(Experiment, name, environment, timestamp="0101-0000", as_run=True)
        if fine:
            assert opened().config.expects is own is None
            continue
        with pytest.raises(ConfigErrors, match=r"expects\.groups: .* has bands of no group"):
            opened()


def test_groups_of_bands_have_positions_and_a_slice(root: Path, environment: Environment) -> None:
    exp = Experiment(write(root, "own", **OWN), environment)
    bands = (band("VV", "S1"), band("B2", "10m"), band("VH", "S1"), band("B3", "10m", "S2"))
    spec = exp.contract.input.model_copy(update={"bands": bands})
    object.__setattr__(exp, "contract", exp.contract.model_copy(update={"input": spec}))
    assert (exp.bands("S1"), exp.bands("10m"), exp.band_slice("S2")) == (
        (0, 2),
        (1, 3),
        slice(3, 4),
    )
    assert exp.band_slice("where", side="target") == slice(0, 2)
    with pytest.raises(ConfigError, match=r"other bands stand between.*experiment\.bands\('S1'"):
        exp.band_slice("S1")
    with pytest.raises(ConfigError, match="no input band is of group 'S3'"):
        exp.bands("S3")


def test_damaged_contract_is_named(root: Path, environment: Environment) -> None:
    folder = root / "data" / "broken" / "32"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text('{"format_version": 1}')
    with pytest.raises(DatasetError, match=r"dataset\.json: not a valid contract"):
        Experiment(write(root, "x4", dataset="broken"), environment)
