"""What the training needs from a model and from an experiment, and the check at run time.

``sensor2sensor`` never imports ``models`` or ``experiment``: both meet it through the protocols
here, so a model file needs no base class.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensor2sensor.core.blame import source_of
from sensor2sensor.core.errors import ConfigError, ModelContractError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.runs import Run

if TYPE_CHECKING:
    from sensor2sensor.config.exclusion import Excluded
    from sensor2sensor.dataset.contract import DatasetContract

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class GANModel(Protocol):
    """A ``class GAN`` of ``models/<name>.py``.

    Attributes:
        generator: ``keras.Model``, ``[B, h, w, INPUT_CHANNELS] -> [B, H, W, OUTPUT_CHANNELS]``;
            the input is smaller where it stays on its own grid.
        discriminator: ``keras.Model`` or None.
        generator_optimizer: Keras optimizer of the generator.
        discriminator_optimizer: Keras optimizer of the discriminator; None without one.
        train_step: ``tf.function`` ``(input_image, target, step[, **extras])``; ``step`` is an
            int64 tensor that counts from 0. May return a dict of scalar losses to log.
    """

    generator: Any
    discriminator: Any
    generator_optimizer: Any
    discriminator_optimizer: Any
    train_step: Any


class ExperimentView(Protocol):
    """The part of ``experiment.Experiment`` that training reads, all of it read-only."""

    @property
    def name(self) -> str:
        """``a/b/c`` below ``experiment_root``."""

    @property
    def config(self) -> Any:
        """The resolved ``experiment.json``."""

    @property
    def document(self) -> Any:
        """The text behind ``config``: its files and what ``--set`` says."""

    @property
    def contract(self) -> Any:
        """The data set's contract."""

    @property
    def dataset_dir(self) -> Path:
        """The data set's folder."""

    @property
    def VGG(self) -> Any:  # noqa: N802
        """What ``gen_vgg`` looks through, or None."""

    @property
    def REGISTRAR(self) -> Any:  # noqa: N802
        """The trained registration that the experiment names, or None."""

    @property
    def excluded(self) -> Excluded:
        """Tiles that are left out by name."""

    @property
    def run(self) -> Run:
        """Folders of this run."""

    @property
    def output(self) -> Any:
        """Folders of the run as text; ``LOGS`` is where a module may write by itself."""

    @property
    def GEN_LOSS(self) -> Mapping[str, float | None]:  # noqa: N802
        """Weights of the generator's losses."""

    @property
    def DISC_LOSS(self) -> Mapping[str, float | None]:  # noqa: N802
        """Weights of the discriminator's losses."""

    @property
    def normaliser(self) -> Any:
        """The map between physical values and the model's."""

    def normalised_by(self, normalisation: Any) -> ExperimentView:
        """The same experiment for a model whose values are mapped so."""

    @property
    def OUTPUT_RANGE(self) -> tuple[float, float]:  # noqa: N802
        """Ends of the normalised target's value range."""

    @property
    def EPOCHS(self) -> Any:  # noqa: N802
        """How steps make epochs, or None."""

    @property
    def STEPS(self) -> int:  # noqa: N802
        """Training steps in total."""

    @property
    def LEARNING_RATE_SCHEDULE(self) -> Any:  # noqa: N802
        """How the step size changes: ``kind``, ``start``, ``final``."""

    @property
    def OPTIMIZER(self) -> str:  # noqa: N802
        """Which one: ``adam``, ``nadam`` or ``nadam_keras2``."""

    @property
    def EPSILON(self) -> float | None:  # noqa: N802
        """The optimizers' ε, or None for their own."""

    @property
    def BETA_1(self) -> float | None:  # noqa: N802
        """The optimizers' β1, or None for the model's own."""

    @property
    def GRADIENT_CLIP(self) -> float | None:  # noqa: N802
        """Largest global norm of a network's gradient, or None."""

    @property
    def EMA(self) -> float | None:  # noqa: N802
        """Decay of the generator's averaged weights, or None."""

    @property
    def DISCRIMINATOR(self) -> Any:  # noqa: N802
        """``norm`` and ``steps`` of the discriminator, or None for plain regression."""

    @property
    def SEED(self) -> int:  # noqa: N802
        """Seed of every random draw."""

    @property
    def IMG_HEIGHT(self) -> int:  # noqa: N802
        """Rows seen by the model."""

    @property
    def IMG_WIDTH(self) -> int:  # noqa: N802
        """Columns seen by the model."""

    @property
    def INPUT_HEIGHT(self) -> int:  # noqa: N802
        """Rows of the input: IMG_HEIGHT, or fewer on a grid of its own."""

    @property
    def INPUT_WIDTH(self) -> int:  # noqa: N802
        """Columns of the input."""

    @property
    def INPUT_CHANNELS(self) -> int:  # noqa: N802
        """Number of input bands."""

    @property
    def OUTPUT_CHANNELS(self) -> int:  # noqa: N802
        """Number of target bands."""


def check_model(model: Any, name: str) -> None:
    """Hold a constructed model against :class:`GANModel`.

    Args:
        model: The object made by ``GAN(experiment)``.
        name: The model's name, for the message.

    Raises:
        ModelContractError: The first thing that is missing or of the wrong kind.
    """
    import keras  # not above: train.py reads this before it is known whether TensorFlow is needed

    where = f"models/{name}.py"
    _expect(model, "generator", keras.Model, where, optional=False)
    _expect(model, "discriminator", keras.Model, where, optional=True)
    lone = model.discriminator is None
    _expect(model, "generator_optimizer", keras.optimizers.Optimizer, where, optional=False)
    _expect(model, "discriminator_optimizer", keras.optimizers.Optimizer, where, optional=lone)
    # By what is asked of it (compiled.Step), not by a class of TensorFlow's.
    if not hasattr(getattr(model, "train_step", None), "experimental_get_tracing_count"):
        hint = "decorate it with @tf.function"
        raise ModelContractError("train_step is not a tf.function", where=where, hint=hint)
    accepted_extras(model)


def _expect(model: Any, attribute: str, kind: type, where: str, *, optional: bool) -> None:
    if not hasattr(model, attribute):
        if optional and attribute == "discriminator_optimizer":
            return
        hint = f"set self.{attribute} in GAN.__init__"
        raise ModelContractError(f"GAN has no attribute '{attribute}'", where=where, hint=hint)
    value = getattr(model, attribute)
    if isinstance(value, kind) or (optional and value is None):
        return
    wanted = f"{kind.__name__}{' or None' if optional else ''}"
    raise ModelContractError(
        f"GAN.{attribute} is a {type(value).__name__}, not a Keras {wanted}", where=where
    )


def accepted_extras(model: GANModel) -> Callable[[str], bool]:
    """Which further fields of a batch ``train_step`` takes.

    Returns:
        A function of a field's name; true for all where ``train_step`` has ``**extras``.

    Raises:
        ModelContractError: ``train_step`` does not take input, target and step.
    """
    further, takes_all = _further(model)
    return lambda name: takes_all or name in further


def _further(model: GANModel) -> tuple[dict[str, inspect.Parameter], bool]:
    """Arguments of ``train_step`` after the first three by name, and whether it takes any other."""
    function = model.train_step
    # A tf.function takes whatever it is given; what it wraps has the arguments.
    parameters = inspect.signature(getattr(function, "python_function", function)).parameters
    named = [p for name, p in parameters.items() if name != "self"]
    kinds = {p.kind for p in named}
    positional = [p.name for p in named if p.kind in POSITIONAL]
    if len(positional) < 3 and inspect.Parameter.VAR_POSITIONAL not in kinds:
        raise ModelContractError(
            f"train_step takes ({', '.join(p.name for p in named)})",
            where=type(model).__module__,
            hint="its first arguments are (input_image, target, step)",
        )
    further = [p for p in named if p.kind not in VARIADIC and p.name not in positional[:3]]
    return {p.name: p for p in further}, inspect.Parameter.VAR_KEYWORD in kinds


def extras_for(
    model: GANModel, contract: DatasetContract, displaced: Mapping[str, str] | None = None
) -> list[str]:
    """What a training's batches carry beyond input, target and index: what ``train_step`` takes.

    Texts, and the ``name`` of a record, go only to a step that names them: no GPU computes with
    them, so they are of no use to one that passes on whatever there is.

    Args:
        model: The model.
        contract: Of the data set, whose extras they are.
        displaced: Those that are carried nowhere, with the key that moves images away from them.

    Raises:
        ModelContractError: The step cannot do without something that the data set does not have.
        ConfigError: It names an extra that is displaced.
    """
    further, takes_all = _further(model)
    for name, key in (displaced or {}).items():
        if name in further:
            problem = f"moves images away from the extra '{name}', which train_step takes"
            raise ConfigError(problem, where=key, hint="leave out one of the two")
    texts = {"name"} | {extra.name for extra in contract.extras if extra.dtype == "string"}
    unasked = texts | set(displaced or {})
    known = ["name", *(extra.name for extra in contract.extras)]
    for name, parameter in further.items():
        if parameter.default is inspect.Parameter.empty and name not in {*known, "index"}:
            raise ModelContractError(
                f"train_step needs '{name}', which the data set '{contract.name}' does not have",
                where=type(model).__module__,
                hint=suggestion(name, known),
            )
    return [name for name in known if name in further or (takes_all and name not in unasked)]


def build_networks(model: GANModel, experiment: ExperimentView) -> None:
    """Create the variables of networks that make them at their first call.

    Checkpoints can only hold variables that exist. ``training=False`` draws no random number.
    """
    import tensorflow as tf

    rows, columns = experiment.INPUT_HEIGHT, experiment.INPUT_WIDTH
    image = tf.zeros([1, rows, columns, experiment.INPUT_CHANNELS])
    if not model.generator.built:
        model.generator(image, training=False)
    if model.discriminator is not None and not model.discriminator.built:
        shape = [1, experiment.IMG_HEIGHT, experiment.IMG_WIDTH, experiment.OUTPUT_CHANNELS]
        # Input beside output: a conditional discriminator (Isola et al. 2017, equation 1).
        model.discriminator([image, tf.zeros(shape)], training=False)


def users_files(gan_class: Any, experiment: ExperimentView) -> list[Path]:
    """The files of a model and of the further ``modules`` of its experiment, imported."""
    names = [f"models.{name}" for name in experiment.config.modules]
    found = [getattr(sys.modules.get(name), "__file__", None) for name in names]
    return [source_of(gan_class), *(Path(path) for path in found if path)]
