"""Model names and modules that must not do harm, or must be explained (rows 23, 38 and 43)."""

from __future__ import annotations

import sys

import pytest

from models.loading import (
    FOLDER,
    RESERVED,
    check_by_name,
    find_gan_class,
    find_model,
    find_modules,
    is_baseline,
    list_models,
    load_gan_class,
    precedence,
)
from sensor2sensor.core.errors import ModelContractError

SOUND = """
import tensorflow as tf

class GAN:
    def __init__(self, experiment):
        self.generator = self.Generator()
        self.discriminator = self.Discriminator()
        self.generator_optimizer = None

    def Generator(self): ...

    def Discriminator(self): ...

    @tf.function
    def train_step(self, input_image, target, step): ...
"""


@pytest.fixture
def folder(tmp_path):
    """A folder of user models; ``write`` puts one module there."""

    class Folder:
        path = tmp_path

        def write(self, name, text):
            (tmp_path / f"{name}.py").write_text(text)
            return tmp_path

    return Folder()


@pytest.mark.parametrize(
    "name",
    [
        "../../x",
        "../loading",
        "/etc/passwd",
        "models.pix2pix",
        "pix2pix.py",
        "a b",
        "",
        "pix2pix\n",
        "..",
        "C:\\x",
        "pix2pix\x00",
    ],
)
def test_a_name_is_never_a_path(name):
    for check in (check_by_name, load_gan_class):
        with pytest.raises(ModelContractError, match="no model name"):
            check(name)


def test_a_file_outside_is_not_reached_and_not_run(tmp_path):
    inside = tmp_path / "models"
    inside.mkdir()
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelContractError, match="no model 'evil'"):
        load_gan_class("evil", inside)


@pytest.mark.parametrize("name", ["os", "sys", "tensorflow", "experiment"])
def test_modules_from_elsewhere_are_no_models(name):
    with pytest.raises(ModelContractError, match=f"no model '{name}'"):
        load_gan_class(name)


@pytest.mark.parametrize("name", [*sorted(RESERVED), "__init__", "__main__"])
def test_helper_modules_are_refused(name):
    for check in (check_by_name, load_gan_class):
        with pytest.raises(ModelContractError, match="helper module"):
            check(name)


def test_every_module_in_models_is_a_sound_model_or_reserved():
    names = list_models()
    assert {"aris-a", "pix2pix", "edsr"} <= set(names)
    for name in names:
        check_by_name(name)


@pytest.mark.parametrize(("typo", "nearest"), [("aris_a", "aris-a"), ("pixpix", "pix2pix")])
def test_a_typo_is_answered_with_the_nearest_name(typo, nearest):
    with pytest.raises(ModelContractError, match=f"nearest: '{nearest}'"):
        check_by_name(typo)


def test_case_matters_even_where_the_file_system_ignores_it():
    with pytest.raises(ModelContractError, match="nearest: 'edsr'"):
        check_by_name("EDSR")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("class GAN:", "class Gan:"), "no class GAN"),
        (("def Generator", "def Generate"), "no method Generator"),
        (("def Discriminator", "def _d"), "no method Discriminator"),
        (("def train_step", "def fit"), "no method train_step"),
        (("    @tf.function\n", ""), "not decorated with @tf.function"),
        (("input_image, target, step", "input_image, target"), "must begin with input_image"),
        (("input_image, target, step", "target, input_image, step"), "must begin with"),
    ],
)
def test_what_a_module_lacks_is_named_with_and_without_running_it(folder, change, message):
    root = folder.write("mine", SOUND.replace(*change))
    for check in (check_by_name, load_gan_class):
        with pytest.raises(ModelContractError, match=message) as caught:
            check("mine", root)
        assert "mine.py" in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_attribute_is_seen_in_the_source(folder):
    root = folder.write("mine", SOUND.replace("self.generator =", "self.network ="))
    with pytest.raises(ModelContractError, match=r"never sets self\.generator"):
        check_by_name("mine", root)


def test_everything_that_is_missing_is_said_at_once(folder):
    root = folder.write("mine", "class GAN:\n    pass\n")
    with pytest.raises(ModelContractError, match=r"Generator.*Discriminator.*train_step"):
        load_gan_class("mine", root)


def test_a_sound_module_passes_both_checks(folder):
    root = folder.write("my-model_2", SOUND)
    check_by_name("my-model_2", root)
    assert load_gan_class("my-model_2", root).__name__ == "GAN"
    # What a base class or another module brings is not held against the source.
    folder.write("heir", "from tests.models.standin import batch as GAN\n")
    check_by_name("heir", root)
    with pytest.raises(ModelContractError, match="no class GAN"):
        load_gan_class("heir", root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import tensorflow\nimport no_such_module_xyz\n", "ModuleNotFoundError.*no_such_module"),
        ("import os\nos.no_such_thing\n", "AttributeError.*no_such_thing"),
        ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
        ("\n1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_an_import_error_is_shown_as_itself_with_its_line(folder, text, message):
    root = folder.write("broken", text)
    with pytest.raises(ModelContractError, match=message) as caught:
        load_gan_class("broken", root)
    assert "broken.py:2:" in str(caught.value)
    assert "models.broken" not in sys.modules


@pytest.mark.parametrize("check", [check_by_name, load_gan_class])
def test_a_syntax_error_has_its_line(folder, check):
    root = folder.write("broken", "x = 1\ndef f(:\n    pass\n")
    with pytest.raises(ModelContractError, match=r"broken\.py:2: .*SyntaxError"):
        check("broken", root)


def test_the_source_check_runs_nothing(folder):
    marker = folder.path / "ran"
    folder.write("eager", f"open({str(marker)!r}, 'w').close()\n{SOUND}")
    check_by_name("eager", folder.path)
    assert not marker.exists()


def test_a_broken_neighbour_does_not_matter(folder):
    folder.write("broken", "raise RuntimeError('neighbour')")
    root = folder.write("mine", SOUND)
    load_gan_class("mine", root)


def test_of_a_name_in_both_folders_the_module_of_the_user_is_taken_and_said(folder):
    root = folder.write("pix2pix", SOUND)
    for helper in ("layers", "losses", "__init__"):  # the original's own, beside its models
        folder.write(helper, "raise RuntimeError('not needed')")
    assert find_model("pix2pix", root) == root / "pix2pix.py"
    lines = []
    assert not hasattr(find_gan_class("pix2pix", root, lines.append), "experiment_defaults")
    assert f"{root / 'pix2pix.py'}, which takes precedence" in lines[0]
    assert len(lines) == 2 and "layers.py, losses.py not used" in lines[1]
    find_gan_class("edsr", root, lines.append)  # a shipped one is served by shipped helpers
    assert len(lines) == 2
    assert find_model("edsr", root) == FOLDER / "edsr.py"
    assert precedence("edsr", root) is None
    assert precedence("pix2pix", FOLDER) is None


def test_a_module_takes_precedence_over_the_baseline_of_its_name(folder):
    assert is_baseline("bicubic") and not is_baseline("edsr") and not is_baseline("bicubik")
    with pytest.raises(ModelContractError, match="'bicubic' is a baseline"):
        find_model("bicubic")
    with pytest.raises(ModelContractError, match="nearest: 'mean_colour'"):
        find_model("mean_color")
    root = folder.write("bicubic", SOUND)
    assert not is_baseline("bicubic", root) and find_model("bicubic", root).parent == root
    assert "over the baseline of that name" in precedence("bicubic", root)


@pytest.mark.parametrize("name", ["objectives", "parts", "losses", "loading"])
def test_a_module_with_losses_cannot_replace_a_helper(folder, name):
    folder.write(name, "raise SystemExit('ran')")
    with pytest.raises(ModelContractError, match=f"modules: '{name}' is the name of a helper"):
        find_modules([name], folder.path)


def test_a_missing_models_root_is_named(tmp_path):
    with pytest.raises(ModelContractError, match="models_root"):
        find_model("pix2pix", tmp_path / "nowhere")


def test_models_keep_no_lambda_that_a_safe_load_would_refuse(tmp_path):
    """Row 43: a saved network opens with Keras' safe mode on."""
    import keras
    import numpy as np

    from tests.models.standin import batch, experiment

    params = {"blocks": 1, "width": 0.1, "local_contrast": True}
    exp = experiment(params=params, gen_loss={"gen_l1": 1.0})
    network = load_gan_class("edsr")(exp).generator
    network.save(tmp_path / "edsr.keras")
    again = keras.models.load_model(tmp_path / "edsr.keras", safe_mode=True)
    image, _ = batch(exp)
    np.testing.assert_array_equal(network(image), again(image))
