"""The keys of ``experiment.json``: schema, defaults and what contradicts what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sensor2sensor.config.cadence import CadenceKeys
from sensor2sensor.config.calibration import CalibrationKeys
from sensor2sensor.config.compose import compose
from sensor2sensor.config.cross_sensor import CrossSensorKeys
from sensor2sensor.config.engine import EngineKeys
from sensor2sensor.config.exclusion import beside_its_file
from sensor2sensor.config.expects import ExpectsKeys
from sensor2sensor.config.jsonc import JsonDocument, Key, Table, load_jsonc
from sensor2sensor.config.layers import Composed, Kept
from sensor2sensor.config.misspelt import mended
from sensor2sensor.config.network_settings import (
    STRICT,
    DiscriminatorSettings,
    InferenceSettings,
    VggSettings,
)
from sensor2sensor.config.optimisation import OptimizerKeys, Schedule
from sensor2sensor.config.scaling import ScalingKeys
from sensor2sensor.config.seeds import SeedsKeys, uppermost_of_seeds
from sensor2sensor.config.validate import at_key, fields_of, report, validate
from sensor2sensor.config.vocabulary import LOSSES, adversarial
from sensor2sensor.config.weights import (
    SIDES,
    DiscriminatorLosses,
    GeneratorLosses,
    unknown_losses,
)
from sensor2sensor.core.errors import ConfigError, ConfigErrors, ModelContractError

REGRESSION = {"gen_loss": {"gen_l1": 100.0}}  # the default without a discriminator
EXAMPLE = "see examples/experiments for files that work"

PositiveInt = Annotated[int, Field(ge=1)]
Enlargement = Annotated[float, Field(ge=1)]
Ends = Annotated[list[Enlargement], Field(min_length=2, max_length=2)]


def _required_unless_extended(schema: dict[str, Any]) -> None:
    """For editors: what a file leaves out may stand in the one it extends."""
    schema["anyOf"] = [{"required": ["extends"]}, {"required": schema.pop("required")}]


class ExperimentFile(
    CadenceKeys, EngineKeys, OptimizerKeys, ScalingKeys, CrossSensorKeys, ExpectsKeys,
    CalibrationKeys, SeedsKeys,
):  # fmt: skip
    """One experiment: model, data set and every parameter of its training."""

    model_config = ConfigDict(
        **STRICT,
        title="experiment.json",
        # pydantic before 2.10 warns of keys that begin with model_, as model_name does.
        protected_namespaces=(),
        validate_by_name=True,  # too: a run's own copy from before called "$schema" schema_
        json_schema_extra=_required_unless_extended,
    )

    schema_: str | None = Field(
        default=None, alias="$schema", description="JSON Schema for editors"
    )
    # Never in a run's own copy, which holds what came of it.
    extends: str | None = Field(
        default=None,
        exclude=True,
        description="File, relative to this one, whose settings these are laid over",
    )
    model_name: str = Field(description="Name of a module in models/, or of a baseline")
    dataset: str = Field(description="Name of a data set in data_root")
    tilesize: PositiveInt = Field(default=256, description="Tile size of the data set, pixels")
    img_height: PositiveInt | None = Field(default=None, description="Rows seen by the model")
    img_width: PositiveInt | None = Field(default=None, description="Columns seen by the model")
    steps: PositiveInt = Field(default=40000, description="Training steps in total")
    sample_train: PositiveInt | None = Field(
        default=None, description="Tiles to train on; null: all"
    )
    sample_val: PositiveInt | None = Field(
        default=None, description="Tiles to validate on; null: all"
    )
    sample_tiles: list[str] = Field(
        default_factory=list, description="Tiles of val for sheets, of test for galleries; []: any"
    )
    batch_size: PositiveInt = Field(default=16, description="Tiles per step")
    shuffle: bool = Field(default=True, description="Another order in every epoch")
    # The jitter of pix2pix enlarges 256 pixels to 286, always; here up to about that.
    random_resize: Enlargement | Ends = Field(
        default=1.11, description="Enlarge by a random factor in [1, this] or [a, b], then crop"
    )
    random_rotate: bool | Literal["flip"] = Field(
        default=True, description="Eight symmetries (four if not square), flips only, or none"
    )
    random_crop: bool = Field(
        default=False, description="Train on random windows of img_height x img_width of a tile"
    )
    # Step 40 ends the name of a tile outside its masks in _notinmask.
    enforce_suffix: str | None = Field(default=None, description="Only tiles with this suffix")
    exclude_suffix: str | None = Field(default=None, description="No tiles with this suffix")
    exclude_tiles: str | None = Field(
        default=None, description="File with a name of a tile to leave out on each line"
    )
    params: dict[str, Any] = Field(default_factory=dict, description="Passed on to the model")
    modules: list[str] = Field(
        default_factory=list, description="Modules of models_root with losses and metrics"
    )
    # Isola et al. 2017 (pix2pix): L1 with the weight 100 beside the adversarial term.
    gen_loss: GeneratorLosses = Field(default=GeneratorLosses(gen_gan=1.0, gen_l1=100.0))
    disc_loss: DiscriminatorLosses = Field(default=DiscriminatorLosses(disc_bce=1.0))
    discriminator: DiscriminatorSettings | None = Field(
        default=DiscriminatorSettings(), description="null: plain regression without one"
    )
    generator_warmup: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Steps before the adversarial terms count; D trains from the first"
    )
    input_upsampling: Literal["nearest", "bicubic", "none"] = Field(
        default="nearest",
        description="How a coarser input reaches the target's grid; none: it stays on its own",
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=0, description="Seed of every random draw")
    # Isola et al. 2017 (pix2pix): Adam with 2e-4 and β1 0.5.
    learning_rate: Annotated[float, Field(gt=0)] = Field(default=2e-4, description="Step size")
    learning_rate_schedule: Schedule = Field(default=Schedule())
    beta_1: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        default=None, description="The optimizer's β1; null: the model's own (0.5 for GANs)"
    )
    gradient_clip: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Largest global norm of a network's gradient; null: any"
    )
    ema: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Decay of averaged generator weights, used for evaluation"
    )
    inference_statistics: Literal["train", "image"] = Field(
        default="train",
        description="What batch normalisation takes at inference: measured on train, or each image",
    )
    inference: InferenceSettings = Field(default=InferenceSettings())
    vgg: VggSettings | None = Field(default=None, description="What gen_vgg compares images in")
    pretrained_generator: str | None = Field(
        default=None, description="Begin with the generator of this run: a/b/c or a/b/c/MMDD-hhmm"
    )
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        default="float32", description="mixed_bfloat16: compute in bfloat16, weights in float32"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _regression_by_default(cls, data: Any, made_of: Callable[[Any], Self]) -> Self:
        """Without a discriminator the default loss is the pixel term alone."""
        lone = isinstance(data, dict) and data.get("discriminator", True) is None
        made = made_of({**REGRESSION, **data} if lone else data)
        if lone and "gen_loss" not in data:  # not written: a model's own may take its place
            made.model_fields_set.discard("gen_loss")
        return made

    @field_validator("gen_loss")
    @classmethod
    def _some_loss(cls, value: GeneratorLosses) -> GeneratorLosses:
        if not any(weight for _, weight in value):
            raise ValueError("every weight is null or 0: nothing to train on")
        return value

    @model_validator(mode="after")
    def _window_inside_tile(self) -> ExperimentFile:
        if self.random_crop and max(self.height, self.width) > self.tilesize:
            raise at_key("random_crop", "needs img_height and img_width within tilesize")
        return self

    @model_validator(mode="after")
    def _losses_have_what_they_need(self) -> ExperimentFile:
        if self.discriminator is None:
            asked = [n for n, weight in self.gen_loss if weight is not None and adversarial(n)]
            if asked:
                problem = f"is null, so {', '.join(asked)} must be null too"
                needs = {
                    f"gen_loss.{name}": "needs a discriminator, and that is null" for name in asked
                }
                raise at_key("discriminator", problem, needs)
        # Gulrajani et al. 2017, section 4: no batch normalisation in the critic.
        elif self.disc_loss.disc_gp and self.discriminator.norm in ("published", "batch"):
            raise at_key(
                "disc_loss.disc_gp",
                "needs discriminator.norm 'instance', 'spectral' or 'none': batch normalisation "
                "ties together images whose gradients are bounded one by one",
            )
        return self

    @model_validator(mode="after")
    def _warmup_leaves_something(self) -> ExperimentFile:
        if self.generator_warmup and not any(w for n, w in self.gen_loss if not adversarial(n)):
            raise at_key("generator_warmup", "needs a loss that is not adversarial, as gen_l1")
        return self

    @model_validator(mode="after")
    def _image_by_image(self) -> ExperimentFile:
        if self.inference_statistics == "image" and self.batch_size != 1:
            raise at_key(
                "inference_statistics",
                f"'image' needs batch_size 1, not {self.batch_size}: else the model never "
                "saw an image normalised by itself",
            )
        return self

    @model_validator(mode="after")
    def _statistics_said_once(self) -> ExperimentFile:
        if self.inference_statistics == "image" and self.inference.norm is not None:
            raise at_key(
                "inference.norm",
                f"'{self.inference.norm}' contradicts or repeats inference_statistics 'image', "
                "which takes those of each image: state one of the two",
            )
        return self

    @model_validator(mode="after")
    def _vgg_for_its_loss(self) -> ExperimentFile:
        if self.vgg is None and self.gen_loss.gen_vgg is not None:
            raise at_key("vgg", 'is null, but gen_vgg needs it: {"weights": FILE}')
        return self

    @property
    def applied_statistics(self) -> Literal["train", "image", "batch"]:
        """Whose moments batch normalisation takes at inference."""
        if self.inference.norm is None:
            return self.inference_statistics
        return "train" if self.inference.norm == "moving" else "batch"

    @property
    def height(self) -> int:
        """Rows seen by the model; the tile size where not given."""
        return self.img_height or self.tilesize

    @property
    def width(self) -> int:
        """Columns seen by the model; the tile size where not given."""
        return self.img_width or self.tilesize


def load_experiment_file(
    path: Path,
    options: Sequence[str] = (),
    *,
    kept: Kept | None = None,
    users_model: Callable[[str], bool] = lambda name: False,
) -> tuple[ExperimentFile, JsonDocument]:
    """Read and validate an ``experiment.json`` with all it extends.

    Args:
        path: The file.
        options: What ``--set`` says above it, as ``key.path=value``.
        kept: What a run of it that is resumed began with by ``--set``, which ``options`` lie over.
        users_model: Whether a model is a module of the user's, which may declare losses. Names that
            are not known yet are left to ``weights.refuse_unknown_losses`` then, as they are where
            the file names ``modules``.

    Returns:
        The settings, and the document for further messages with lines.

    Raises:
        ConfigError: Missing or unreadable.
        ConfigErrors: Everything that is wrong with it.
    """
    document = uppermost_of_seeds(compose(path, _read, options, _tables, kept))
    data = document.data
    declares = bool(data.get("modules")) or users_model(str(data.get("model_name")))
    if isinstance(document, Composed):
        document = document.without_nulls(_never_null(), partial(_unknown, declares=declares))
    if not declares:
        problems = tuple(unknown_losses(document))
        document = replace(document, problems=document.problems + problems)
    return beside_its_file(validate(ExperimentFile, document), document), document


def _tables(data: Table) -> dict[str, Table]:
    """What the tables are that neither a file nor an option states."""
    fields = ExperimentFile.model_fields.items()
    made = {name: field.default for name, field in fields if isinstance(field.default, BaseModel)}
    tables = {name: table.model_dump(exclude_unset=True) for name, table in made.items()}
    return {**tables, **(REGRESSION if data.get("discriminator", made) is None else {})}


def _unknown(key: Key, *, declares: bool) -> bool:
    """Whether a key is none of an experiment's; a loss's may be one, where modules declare some."""
    known = fields_of(ExperimentFile, key[:-1])
    if not known or key[-1] in known:
        return False
    return key[0] not in SIDES or len(key) != 2 or not (declares or key[1] in LOSSES)


def _never_null() -> frozenset[str]:
    """Keys that may be left out but not be null."""
    fields = ExperimentFile.model_fields.items()
    optional = {name: field.annotation for name, field in fields if not field.is_required()}
    return frozenset(name for name, kind in optional.items() if type(None) not in get_args(kind))


def _read(path: Path) -> JsonDocument:
    return mended(load_jsonc(path, EXAMPLE))


@contextmanager
def located(document: JsonDocument) -> Iterator[None]:
    """Give every error of the block that names a key of ``experiment.json`` its file and line.

    A model names keys as ``params.width``; several (``img_height, tilesize``) mean the first that
    the file holds.

    Raises:
        ConfigErrors: In place of an error whose ``where`` names keys.
    """
    try:
        yield
    except ConfigErrors:
        raise
    except (ConfigError, ModelContractError) as error:
        keys = _keys(error.where)
        if not keys:
            raise
        key = next((key for key in keys if document.names(key)), keys[0])
        where = document.place_of(key).where
        text = f"{error.what}; {error.hint}" if error.hint else error.what
        below = any(where.startswith(f"{path}:") for path in document.extended)
        if key[0] == "params" and below:
            text += f'; it is inherited, and "params": null in {document.path} drops all inherited'
        raise ConfigErrors(report(document, {key: [text]})) from error


def _keys(where: object) -> list[Key]:
    """The keys a ``where`` names; empty where it names something else."""
    keys: list[Key] = [tuple(part.strip().split(".")) for part in str(where).split(",")]
    return keys if all(key[0] in ExperimentFile.model_fields for key in keys) else []
