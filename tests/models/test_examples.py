"""The shipped experiments are valid, and their models accept what they ask for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from models.loading import check_by_name, list_models, load_gan_class
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.pipeline.precision import computing_in
from tests.models import clouds, standin
from tests.models.sensors import two_sensors

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "experiments"
FILES = sorted(FOLDER.rglob("experiment.json"))
# Constructed by tests/scripts/test_{maps,aerial}_experiments.py and test_clouds_experiments.py.
OF_THEIR_OWN = ("maps", "aerial", "clouds")
ALONE = ("edsr", "dsen2cr", "carn", "rrdb")  # without a discriminator where none is asked for
SUFFIXES = ("enforce_suffix", "exclude_suffix")
CONSTRUCTED: set[tuple[str, str]] = set()


def test_there_are_experiments_for_the_demo_and_for_the_published_model():
    names = {path.parent.relative_to(FOLDER).as_posix() for path in FILES}
    assert {"demo/edsr_alt6", "demo/edsr_lsgan_cur"} <= names
    published = itertools.product("abc", ("alt12", "alt30", "cur"), ("land", "sea"))
    assert {f"arisgan/aris-{letter}/{data}_{ground}" for letter, data, ground in published} <= names


def test_every_model_and_every_objective_has_an_experiment():
    configs = [load_experiment_file(path)[0] for path in FILES]
    assert {config.model_name for config in configs} == set(list_models())
    used = {name for c in configs for side in (c.gen_loss, c.disc_loss) for name, w in side if w}
    # The first two write gen_gan and disc_bce out; the others are norms that nobody publishes.
    assert set(LOSSES) - used == {"gen_nll", "disc_nll", "gen_l2", "gen_rmse"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_a_shipped_experiment_is_valid_and_its_model_takes_it(path):
    config, document = load_experiment_file(path)
    check_by_name(config.model_name)
    schema = (path.parent / document.data["$schema"]).resolve()
    assert schema.is_file(), f"{schema} is named but does not exist"
    if path.relative_to(FOLDER).parts[0] in OF_THEIR_OWN:
        return
    # Land and sea, 12 and 30 times, are the same network: it is constructed once.
    seen = config.model_dump_json(exclude={"schema_", "dataset", "steps", *SUFFIXES})
    if (seen, config.dataset[:3]) in CONSTRUCTED:
        return
    CONSTRUCTED.add((seen, config.dataset[:3]))
    kind = {"sentinel3": config.dataset.startswith("cur")}
    probing = clouds.experiment if config.gen_loss.gen_carl else standin.experiment
    if config.input_upsampling == "none":
        probing, kind = two_sensors, {}
    # It asks a trained registration, which a stand-in has none of.
    terms = config.gen_loss.model_dump() | ({"gen_warp": None} if config.registration else {})
    exp = probing(
        size=64,
        **kind,
        params=dict(config.params) | {"width": 0.1},
        gen_loss=terms,
        disc_loss=config.disc_loss.model_dump(),
        normalisation=config.normalisation,
        discriminator=config.discriminator,
        learning_rate_schedule=config.learning_rate_schedule,
        generator_warmup=config.generator_warmup,
        gradient_clip=config.gradient_clip,
        beta_1=config.beta_1,
        ema=config.ema,
    )
    with computing_in(config.precision):
        gan = load_gan_class(config.model_name)(exp)
    assert (gan.discriminator is None) == (
        config.discriminator is None
        or (config.model_name in ALONE and not config.params.get("discriminator"))
    )
