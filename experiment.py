"""One experiment as the models see it: settings, data set and run folders, all read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

from models.loading import is_users, left_out_groups
from sensor2sensor.config.cadence import keeping_as_begun, refuse_unknown_monitor
from sensor2sensor.config.environment import Environment
from sensor2sensor.config.exclusion import read_excluded
from sensor2sensor.config.experiment_file import ExperimentFile, load_experiment_file
from sensor2sensor.config.model_defaults import own_defaults, suited
from sensor2sensor.config.network_settings import DiscriminatorSettings, Vgg
from sensor2sensor.config.optimisation import OptimizerView
from sensor2sensor.config.places import find_dataset, find_experiment
from sensor2sensor.config.validate import report
from sensor2sensor.config.weights import LossWeights, refuse_unknown_losses
from sensor2sensor.core.errors import ConfigError, ConfigErrors
from sensor2sensor.core.runs import Run

if TYPE_CHECKING:
    from sensor2sensor.config.jsonc import Key
    from sensor2sensor.config.layers import Kept
    from sensor2sensor.dataset.bands import BandSpec
    from sensor2sensor.dataset.contract import DatasetContract, Side
    from sensor2sensor.dataset.form import Form
    from sensor2sensor.dataset.order import Epochs
    from sensor2sensor.pipeline.normalisation import Normalisation
    from sensor2sensor.pipeline.registration import Registrar

UNSTARTED = "0000-0000"


class Experiment(OptimizerView):
    """An ``experiment.json`` with its data set and the folders of one run.

    Constructing one creates no folder.

    Args:
        exp: Folder of the experiment below ``experiment_root``, for example ``sis2/s3/l1loss``.
        environment: Machine settings.
        timestamp: ``MMDD-hhmm`` of the run; None while there is none.
        as_run: Read the run's own copy of its settings and not the file that can be edited.
        options: What ``--set`` says above either, as ``key.path=value``.
        kept: What ``--set`` said when the run began, as its own copy has it, below ``options``.

    Raises:
        ConfigError: The experiment cannot be used; every problem is named.
        DatasetError: The data set is missing or damaged.
    """

    _normaliser: Normalisation | None = None

    def __init__(
        self,
        exp: str,
        environment: Environment,
        *,
        timestamp: str | None = None,
        as_run: bool = False,
        options: Sequence[str] = (),
        kept: Kept | None = None,
    ) -> None:
        self.environment = environment
        self.exp_dir = find_experiment(exp, environment)
        self.name = self.exp_dir.relative_to(environment.experiment_root).as_posix()
        self.run = Run(self.exp_dir, timestamp or UNSTARTED)
        source = self.run.resolved if as_run else self.exp_dir / "experiment.json"
        # Only a module of the user's may declare a loss that is not known before it is imported.
        own = partial(is_users, models_root=environment.models_root)
        self.config, self.document = load_experiment_file(
            source, options, kept=kept, users_model=own
        )
        self.config = keeping_as_begun(self.config, self.run)
        self.dataset_dir = find_dataset(self.config, self.document, environment)
        self.contract = self._load_contract()
        self._check(self.config, monitor=not (self.config.modules or own(self.config.model_name)))
        self.excluded = read_excluded(
            self.config.exclude_tiles, self.document, copy=self.run.excluded if as_run else None
        )
        self.output = SimpleNamespace(
            LOGS=str(self.run.logs_dir),
            CKPT=str(self.run.ckpt_dir),
            SAMPLES=str(self.run.samples_dir),
            MODEL=str(self.run.model_dir),
        )
        self._frozen = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_frozen", False):
            raise AttributeError(f"Experiment.{name} is read-only")
        super().__setattr__(name, value)

    def normalised_by(self, normalisation: Normalisation) -> Self:
        """The same experiment for a model whose values are mapped so."""
        return self._with(_normaliser=normalisation)

    @property
    def normaliser(self) -> Normalisation:
        """The map between physical values and the model's; an unbounded model's by default."""
        from sensor2sensor.pipeline.normalisation import Normalisation

        kind, scaling = self.config.normalisation, self.config.scaling
        return self._normaliser or Normalisation(kind, self.contract, scaling=scaling)

    def suited_to(self, gan_class: type, say: Callable[[str], None]) -> Self:
        """The same experiment with a model's own defaults where the file leaves a key open.

        Args:
            gan_class: Its class GAN; it may state ``experiment_defaults(params)``.
            say: Takes a line for each default that is another one.

        Raises:
            ConfigError: The file names losses that no imported module declares, or none is left.
        """
        refuse_unknown_losses(self.document)
        wanted = own_defaults(gan_class, self.PARAMS)
        config, lines = suited(self.config, self.document, wanted)
        for line in lines:
            say(f"{config.model_name}: {line}")
        self._check(config)
        return self._with(config=config)

    def _check(self, config: ExperimentFile, *, monitor: bool = True) -> None:
        """Refuse what the data set cannot give, and a metric or loss that is none."""
        from sensor2sensor.dataset.expected import unmet
        from sensor2sensor.pipeline.own_grid import upsampling_problems

        resize = config.random_resize
        largest = max(resize) if isinstance(resize, list) else resize
        given = config.height, config.width, largest
        found = upsampling_problems(self.contract, config.input_upsampling, *given)
        problems: dict[Key, list[str]] = {(key,): [text] for key, text in found.items()}
        problems |= {key: [text] for key, text in unmet(config.expects, self.contract).items()}
        if problems:
            raise ConfigErrors(report(self.document, problems))
        if monitor:
            colour = self.contract.colour() is not None
            refuse_unknown_monitor(config, self.document, colour=colour)

    def _with(self, **changes: Any) -> Self:
        made = copy(self)
        made.__dict__.update(changes)
        return made

    def _load_contract(self) -> DatasetContract:
        from sensor2sensor.dataset.contract import load_contract

        return load_contract(self.dataset_dir)

    @property
    def IMG_HEIGHT(self) -> int:  # noqa: N802 - the names models use since ARISGAN
        """Rows seen by the model."""
        return self.config.height

    @property
    def IMG_WIDTH(self) -> int:  # noqa: N802
        """Columns seen by the model."""
        return self.config.width

    @property
    def INPUT_HEIGHT(self) -> int:  # noqa: N802
        """Rows of the input as the model is given it; below IMG_HEIGHT on a grid of its own."""
        return self.IMG_HEIGHT // self._own_factor

    @property
    def INPUT_WIDTH(self) -> int:  # noqa: N802
        """Columns of the input as the model is given it."""
        return self.IMG_WIDTH // self._own_factor

    @property
    def _own_factor(self) -> int:
        from sensor2sensor.pipeline.own_grid import own_factor

        return own_factor(self.contract, self.config.input_upsampling)

    @property
    def TILESIZE(self) -> int:  # noqa: N802
        """Tile size of the data set, pixels."""
        return self.config.tilesize

    @property
    def _input(self) -> tuple[BandSpec, ...]:
        return tuple(self.contract.input.bands)

    @property
    def _target(self) -> tuple[BandSpec, ...]:
        return tuple(self.contract.target.bands)

    @property
    def INPUT_BANDS(self) -> tuple[str, ...]:  # noqa: N802
        """Names of the input bands."""
        return tuple(band.name for band in self._input)

    @property
    def OUTPUT_BANDS(self) -> tuple[str, ...]:  # noqa: N802
        """Names of the target bands."""
        return tuple(band.name for band in self._target)

    @property
    def INPUT_WAVELENGTHS_NM(self) -> tuple[float | None, ...]:  # noqa: N802
        """Centre wavelengths of the input bands."""
        return tuple(band.wavelength_nm for band in self._input)

    @property
    def OUTPUT_WAVELENGTHS_NM(self) -> tuple[float | None, ...]:  # noqa: N802
        """Centre wavelengths of the target bands."""
        return tuple(band.wavelength_nm for band in self._target)

    @property
    def INPUT_CHANNELS(self) -> int:  # noqa: N802
        """Number of input bands."""
        return len(self._input)

    @property
    def OUTPUT_CHANNELS(self) -> int:  # noqa: N802
        """Number of target bands."""
        return len(self._target)

    def bands(self, group: str, side: Side = "input") -> tuple[int, ...]:
        """Positions of a group's bands among those of a side, in order.

        Raises:
            ConfigError: No band is of that group.
        """
        return self.contract.group(group, side)

    def band_slice(self, group: str, side: Side = "input") -> slice:
        """A group's bands as a slice of the channels: ``image[..., experiment.band_slice("S1")]``.

        Raises:
            ConfigError: No band is of that group, or others stand between them.
        """
        found = self.bands(group, side)
        if len(found) != found[-1] - found[0] + 1:
            what = f"other bands stand between those of group '{group}'"
            hint = f"gather them by position: experiment.bands('{group}', '{side}')"
            raise ConfigError(what, where=self.contract.name, hint=hint)
        return slice(found[0], found[-1] + 1)

    @property
    def form(self) -> Form:
        """What the model takes and makes, and which bands have no part in it."""
        from sensor2sensor.dataset.form import form_of

        name, root = self.config.model_name, self.environment.models_root
        return form_of(self.contract, left_out_groups(name, self.PARAMS, root))

    @property
    def EXTRAS(self) -> tuple[str, ...]:  # noqa: N802
        """Names of the extras of a record: masks, further images, numbers, texts."""
        return tuple(extra.name for extra in self.contract.extras)

    @property
    def SCALE(self) -> float:  # noqa: N802
        """Size of an input pixel over that of a target pixel."""
        return self.contract.factor

    @property
    def BATCH_SIZE(self) -> int:  # noqa: N802
        """Tiles per step."""
        return self.config.batch_size

    @property
    def EPOCHS(self) -> Epochs | None:  # noqa: N802
        """How steps make epochs; None where the experiment counts steps."""
        from sensor2sensor.dataset.order import Epochs
        from sensor2sensor.dataset.recordfile import count_records

        config = self.config
        if config.epochs is None:
            return None
        filters = config.enforce_suffix, config.exclude_suffix, self.excluded.names
        found = count_records(self.dataset_dir, "train", config.sample_train, *filters)
        return Epochs(found, config.batch_size)

    @property
    def STEPS(self) -> int:  # noqa: N802
        """Training steps in total."""
        epochs = self.EPOCHS
        return self.config.steps if epochs is None else epochs.steps(self.config.epochs or 0)

    @property
    def SEED(self) -> int:  # noqa: N802
        """Seed of every random draw."""
        return self.config.seed

    @property
    def DISCRIMINATOR(self) -> DiscriminatorSettings | None:  # noqa: N802
        """What the discriminator is to be (``norm``, ``steps``, …); None: plain regression."""
        return self.config.discriminator

    @property
    def VGG(self) -> Vgg | None:  # noqa: N802
        """What ``gen_vgg`` looks through, or None."""
        asked = self.config.vgg
        if asked is None:
            return None
        path = self.environment.data_root / asked.weights
        return Vgg(path, asked.layers, asked.preprocessing, self.contract.colour())

    @cached_property
    def REGISTRAR(self) -> Registrar | None:  # noqa: N802
        """The trained registration that the experiment names, ready to be used; None without."""
        if self.config.registration is None:
            return None
        from sensor2sensor.training.registration import registrar_of

        return registrar_of(self)

    @property
    def NORMALISATION(self) -> str:  # noqa: N802
        """How values are scaled for the model."""
        return self.config.normalisation

    @property
    def INPUT_UPSAMPLING(self) -> str:  # noqa: N802
        """How a coarser input reaches the target's grid; ``none``: it stays on its own."""
        return self.config.input_upsampling

    @property
    def OUTPUT_RANGE(self) -> tuple[float, float]:  # noqa: N802
        """Lower and upper end of the normalised target's value range, over all bands."""
        lows, highs = zip(*self.normaliser.value_ranges, strict=True)
        return min(lows), max(highs)

    @property
    def PARAMS(self) -> Mapping[str, Any]:  # noqa: N802
        """Parameters of the model itself."""
        return MappingProxyType(self.config.params)

    def _weights(self, losses: Mapping[str, float | None]) -> LossWeights:
        ends = self.normaliser.value_ranges
        widths, lows = tuple(high - low for low, high in ends), tuple(low for low, _ in ends)
        warmup, bands = self.config.generator_warmup, self.config.band_weights
        return LossWeights(losses, widths, lows, warmup, bands)

    @property
    def GEN_LOSS(self) -> LossWeights:  # noqa: N802
        """Weights of the generator's losses."""
        return self._weights(self.config.gen_loss.model_dump())

    @property
    def DISC_LOSS(self) -> LossWeights:  # noqa: N802
        """Weights of the discriminator's losses."""
        return self._weights(self.config.disc_loss.model_dump())
