"""The experiments across sensors: what each resolves to, and the sites they share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import train
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core.cli import main_guard
from sensor2sensor.sources.sen2venus import run as step_54
from tests.fakes.sen2venus import write_sites
from tests.fakes_tiles import own_environment

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "experiments" / "sisr"
# Data set: side of a target, dense blocks, and the registration it is trained with.
DATA = {
    "s2v1x2": (256, 6, "s2vx2"),
    "s2v2x2": (256, 6, "s2vx2"),
    "s2v1x4": (256, 6, "s2vx4"),
    "s2v2x4": (256, 5, "s2vx4"),
    "wsx2": (256, 6, "wsx2"),
    "wsx4": (512, 6, "wsx4"),
}
VARIANTS = {"baseline": None, "geom": False, "geom_rad": True}
# Side of the coarser image, in its own pixels.
PRETRAINED = {"s2vx2": 128, "s2vx4": 64, "wsx2": 128, "wsx4": 128}
# Published angles of view in degrees from the zenith.
ZENITH = {
    "FR-LQ1": 1.8, "NARYN": 5.0, "FGMANAUS": 7.2, "MAD-AMBO": 14.8, "ARM": 15.2, "BAMBENW2": 17.8,
    "ES-IC3XG": 18.8, "ANJI": 19.3, "ATTO": 22.0, "ESGISB-3": 23.7, "ESGISB-1": 24.6,
    "FR-BIL": 24.8, "K34-AMAZ": 25.0, "ESGISB-2": 26.2, "ALSACE": 26.9, "LERIDA-1": 28.5,
    "ESTUAMAR": 28.9, "SUDOUE-5": 29.2, "KUDALIAR": 29.2, "SUDOUE-6": 29.2, "SUDOUE-4": 29.5,
    "SUDOUE-3": 30.0, "SO1": 30.3, "SUDOUE-2": 31.3, "ES-LTERA": 32.0, "FR-LAM": 32.1,
    "SO2": 32.2, "BENGA": 32.6, "JAM2018": 33.7,
}  # fmt: skip


def settings(*name):
    return load_experiment_file(FOLDER.joinpath(*name, "experiment.json"))[0]


def sites(name):
    lines = (FOLDER / f"sites_{name}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_there_are_eighteen_four_one_and_all_losses():
    found = {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("experiment.json")}
    assert found == {
        *(f"{data}/{variant}" for data in DATA for variant in VARIANTS),
        *(f"pretrain_registration/{name}" for name in PRETRAINED),
        "train_sentinel2_superresolution",
        "losses",
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("data", DATA)
def test_three_trainings_of_a_data_set_differ_by_their_registration_alone(data, variant):
    config, (tilesize, blocks, registration) = settings(data, variant), DATA[data]
    assert (config.model_name, config.params) == ("rrdb", {"blocks": blocks})
    assert (config.dataset, config.tilesize, config.input_upsampling) == (data, tilesize, "none")
    assert config.expects.target_bands == 4 and config.normalisation == "standard"
    used = config.registration
    if variant == "baseline":
        assert used is None
    else:
        assert used.run == f"sisr/pretrain_registration/{registration}"
        # Scores stay on targets that are not moved.
        assert (used.train, used.test, used.radiometric) == (True, False, VARIANTS[variant])
    others = config.model_dump(exclude={"registration"})
    assert others == settings(data, "baseline").model_dump(exclude={"registration"})


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_registration_is_pretrained_on_the_coarse_images_of_its_own_data(name):
    config = settings("pretrain_registration", name)
    assert (config.model_name, config.dataset) == ("registration", f"{name}_pairs")
    assert config.tilesize == PRETRAINED[name] and config.registration is None
    # Unit weights are published, and that a flow is at most 2 pixels long.
    terms = {f"gen_flow_{term}": 1 for term in ("composition", "identity", "inverse", "warping")}
    assert {loss: weight for loss, weight in config.gen_loss if weight} == terms
    assert config.params == {"max_offset": 2}
    for data, (tilesize, _, registration) in DATA.items():
        assert registration != name or tilesize == int(data[-1]) * config.tilesize


def test_the_model_of_the_public_tool_learns_ten_bands_without_a_reference_for_two():
    config = settings("train_sentinel2_superresolution")
    assert (config.model_name, config.params) == ("carn", {})
    assert config.expects.target_bands == 10 and config.registration is None
    assert config.degradation.paths.simulated > 0 and config.degradation.paths.wald > 0


def test_every_site_is_in_one_list_and_groups_follow_the_angle_of_view():
    test, near, oblique = (sites(name) for name in ("test", "s2v1", "s2v2"))
    assert sorted([*test, *near, *oblique]) == sorted(ZENITH)
    assert max(ZENITH[site] for site in near) < 25 <= min(ZENITH[site] for site in oblique)
    # Ten sites are the fewest that an interval is given for; both groups are tested alike.
    assert len(test) == 10 and sum(ZENITH[site] < 25 for site in test) == 5


def test_what_nobody_could_verify_says_so():
    for name in ("published.json", "registration.json", "sites_s2v1.txt", "sites_s2v2.txt"):
        assert "UNVERIFIED" in (FOLDER / name).read_text(encoding="utf-8"), name


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """Patches of four sites as two experiments want them; the option that names the place."""
    root = tmp_path_factory.mktemp("sisr")
    folder = write_sites(root / "found", {"ARM": 2, "SO1": 1, "ANJI": 1, "ALSACE": 1})
    option = own_environment(root)
    words = ["--data", str(folder), "--test-sites", "ANJI", "ALSACE", "--val-sites", "SO1", *option]
    for name, bands in (("s2v1x2", "10m"), ("s2vx2_all", "all")):
        assert step_54.main([*words, "--dataset", name, "--bands", bands]) == 0
    shutil.copytree(FOLDER, root / "maps_experiments" / "sisr")
    return option


def check(workplace, name, *changes):
    words = ["--exp", f"maps_experiments/sisr/{name}", *workplace, "--check"]
    for change in ("tilesize=32", "batch_size=2", *changes):
        words += ["--set", change]
    return main_guard(train.main, train.arguments(), words)


@pytest.mark.slow
def test_ten_bands_of_step_54_train_the_model_of_the_public_tool(workplace, capsys):
    small = "params.blocks=1", "params.cascades=1", "params.features_per_factor=1"
    assert check(workplace, "train_sentinel2_superresolution", *small) == 0
    assert "in order" in capsys.readouterr().out


def test_a_training_whose_registration_is_not_there_says_so(workplace, capsys):
    assert check(workplace, "s2v1x2/geom") == 2
    told = capsys.readouterr().err
    assert "geom/experiment.json" in told and "pretrain_registration/s2vx2" in told
