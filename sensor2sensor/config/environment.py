"""``environment.json``: where data, experiments and archives lie on this machine."""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from sensor2sensor.config.caching import CacheKeys
from sensor2sensor.config.jsonc import JsonDocument, Key, load_jsonc
from sensor2sensor.config.validate import report, validate
from sensor2sensor.core.errors import ConfigError, ConfigErrors, InputError
from sensor2sensor.core.names import nearest
from sensor2sensor.core.paths import expanded, fault_of

logger = logging.getLogger(__name__)

VARIABLE = "SENSOR2SENSOR_ENVIRONMENT"
FILE = "environment.json"
# What stands above the package: a checkout with its own settings, or site-packages without any.
_ABOVE = Path(__file__).resolve().parents[2]
CHECKOUT = _ABOVE if (_ABOVE / "pyproject.toml").is_file() else None
EXAMPLE = "the environment.json of the repository shows the form"
ROOTS = (
    "project_root", "data_root", "experiment_root", "s2_root", "s3_root", "models_root",
    "cache_dir",
)  # fmt: skip

# Roots that are made where they are not there: a mistaken one would go unnoticed.
_MADE = ("data_root", "experiment_root")
# Values that a variable, which is text, has to be turned into.
_SCALARS = (
    "sample_freq", "ckpt_freq", "log_freq", "histograms", "max_shuffle_buffer", "require_gpu",
    "cache_gib", "parallel_reads",
)  # fmt: skip
_BARE = re.compile(r"\$([A-Za-z_]\w*)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::-([^{}]*))?\}")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
A_WINDOWS_PATH = "is a Windows path, and this is no Windows; WSL has D: at /mnt/d"

PositiveInt = Annotated[int, Field(ge=1)]


class EnvironmentFile(CacheKeys):
    """The keys of ``environment.json`` as written; relative roots are relative to the file."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, title="environment.json"
    )

    schema_: str | None = Field(
        default=None, alias="$schema", description="JSON Schema for editors"
    )
    environment: str = Field(default="local", description="Name of this machine, for logs")
    project_root: str = Field(
        default=".", description="Folder of this repository; a note, which no step reads"
    )
    data_root: str = Field(default="data", description="Inventories, masks, tifs and data sets")
    experiment_root: str = Field(default="experiments", description="Experiments and their results")
    s2_root: str = Field(
        default="archive/Sentinel-2", description="Sentinel-2 .SAFE folders or zips"
    )
    s3_root: str = Field(
        default="archive/Sentinel-3",
        description="Sentinel-3 .SEN3 folders or zips, YYYY/MM or flat",
    )
    sample_freq: PositiveInt = Field(default=1000, description="Steps between sample sheets")
    ckpt_freq: PositiveInt = Field(default=10000, description="Steps between checkpoints")
    log_freq: PositiveInt = Field(default=20, description="Steps between rows of the logs")
    histograms: PositiveInt | None = Field(
        default=None, description="Epochs between histograms of weights and gradients; null: none"
    )
    csv: Literal[",", ";", "\t"] | None = Field(
        default=None, description="Separator of steps.csv and epochs.csv; null: no such tables"
    )
    tracking: Literal["wandb", "mlflow"] | None = Field(
        default=None, description="Where trainings are followed beside TensorBoard; null: nowhere"
    )
    tracking_names: Literal["own", "pix2pix-maps"] = Field(
        default="own", description="What the tracker calls the losses of an epoch; or as published"
    )
    max_shuffle_buffer: PositiveInt = Field(
        default=500, description="Most decoded tiles held in memory (order is shuffled by name)"
    )
    models_root: str | None = Field(default=None, description="A further folder of model modules")
    lpips_weights: str | None = Field(
        default=None,
        description="Weights of LPIPS for profile extended (s2s lpips-weights); below data_root",
    )
    require_gpu: bool = Field(default=False, description="Refuse to train without a GPU")
    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = Field(
        default="auto",
        description="Devices that train together: auto takes all GPUs of this machine, one or many",
    )


class Environment:
    """Machine settings with every root resolved; attributes are the keys of the file.

    Args:
        path: The file the settings came from.
        settings: Its content.
        document: The file as it was read, for messages with lines; None where it was not.
    """

    def __init__(
        self, path: Path, settings: EnvironmentFile, document: JsonDocument | None = None
    ) -> None:
        self.path = path
        self._document = document
        self.settings = settings
        self.environment = settings.environment
        self.sample_freq = settings.sample_freq
        self.ckpt_freq = settings.ckpt_freq
        self.log_freq = settings.log_freq
        self.histograms = settings.histograms
        self.csv = settings.csv
        self.tracking = settings.tracking
        self.tracking_names = settings.tracking_names
        self.max_shuffle_buffer = settings.max_shuffle_buffer
        self.require_gpu = settings.require_gpu
        self.project_root = self._root(settings.project_root)
        self.data_root = self._root(settings.data_root)
        self.experiment_root = self._root(settings.experiment_root)
        self.s2_root = self._root(settings.s2_root)
        self.s3_root = self._root(settings.s3_root)
        self.lpips_weights = (
            None
            if settings.lpips_weights is None
            else _below(self.data_root, settings.lpips_weights)
        )
        self.parallel_reads = settings.parallel_reads
        self.cache = settings.cache
        self.cache_gib = settings.cache_gib
        self.cache_dir = None if settings.cache_dir is None else self._root(settings.cache_dir)
        self.models_root = (
            None if settings.models_root is None else self._root(settings.models_root)
        )

    def _root(self, text: str) -> Path:
        return _below(self.path.parent, text)

    @property
    def inventory_dir(self) -> Path:
        """Inventories, selections and quick-looks."""
        return self.data_root / "_inventory"

    @property
    def masks_dir(self) -> Path:
        """KML masks."""
        return self.data_root / "_masks"

    @property
    def tif_dir(self) -> Path:
        """Tiles of step 40."""
        return self.data_root / "_tif"

    @property
    def samples_dir(self) -> Path:
        """The latest sample sheet of every experiment."""
        return self.experiment_root / "_samples"

    @property
    def evaluation_dir(self) -> Path:
        """Evaluation tables of every experiment."""
        return self.experiment_root / "_evaluation"

    def _place_of(self, root: str) -> str | Path:
        if self._document is None or not self._document.names((root,)):
            return self.path  # it has its default
        return self._document.place_of((root,)).where

    def require(self, root: str) -> Path:
        """The folder a root names, which must exist.

        Raises:
            InputError: It does not; the key, the folder and the file are named.
        """
        folder: Path = getattr(self, root)
        if not folder.is_dir():
            windows = _WINDOWS.match(getattr(self.settings, root) or "")
            hint = f"that {A_WINDOWS_PATH}" if windows else "create it or change the key"
            problem = f"{root}: no folder {folder}"
            raise InputError(problem, where=self._place_of(root), hint=hint)
        return folder


def _below(folder: Path, text: str) -> Path:
    """A path relative to a folder; InputError where ``~name`` is nobody's home."""
    # Not Path.resolve(): it would follow links that a user put there on purpose.
    return Path(os.path.normpath(folder / expanded(text)))


def environment_path(path: str | Path | None) -> Path:
    """The file to read: ``path``, else what the variable names, else the project's own.

    An installed package has none of its own and takes that of the working folder.

    Raises:
        ConfigError: Installed, nothing named, and none lies there.
    """
    chosen = path or os.environ.get(VARIABLE)
    if chosen is not None:
        return _below(Path.cwd(), os.fspath(chosen))
    if CHECKOUT is None and not Path(FILE).is_file():
        hint = f"write one there, or name one with --environment or ${VARIABLE}"
        raise ConfigError(f"no {FILE} in this folder", where=Path.cwd(), hint=hint)
    return _below(Path.cwd(), os.fspath((CHECKOUT or Path()) / FILE))


def load_environment(path: str | Path | None = None) -> Environment:
    """Read and validate ``environment.json``.

    Raises:
        ConfigError: The file is missing or unreadable.
        ConfigErrors: Unknown keys, wrong types, impossible roots and other problems, all at once.
    """
    file = environment_path(path)
    document = with_variables(load_jsonc(file, EXAMPLE))
    settings = validate(EnvironmentFile, document)
    faults = {key: _root_fault(file, settings, key) for key in ROOTS}
    found: dict[Key, list[str]] = {(key,): [fault] for key, fault in faults.items() if fault}
    if found:
        raise ConfigErrors(report(document, found))
    made = Environment(file, settings, document)
    for root in ROOTS:
        bare = _BARE.search(getattr(settings, root) or "")
        if bare and not getattr(made, root).is_dir():
            hint = f"'${bare[1]}' is taken as it stands; write ${{{bare[1]}}} for the variable"
            _warn(f"{document.place_of((root,)).where} {root}: {hint}")
    if (unused := unused_root(made)) is not None:
        _warn(f"{file}:{document.line_of(('project_root',))} {unused}")
    return made


def with_variables(document: JsonDocument) -> JsonDocument:
    """The document with ``${NAME}`` and ``${NAME:-default}`` replaced in its texts.

    Raises:
        ConfigErrors: A variable is not set and has no default; the nearest one is named.
    """
    found: dict[Key, list[str]] = {}

    def filled(value: Any, key: Key) -> Any:
        if isinstance(value, dict):
            return {name: filled(item, (*key, name)) for name, item in value.items()}
        if not isinstance(value, str):
            return value
        # Two groups in the pattern: text, name, default, text, and so on.
        parts = _REFERENCE.split(value)
        if any("${" in text for text in parts[::3]):
            found.setdefault(key, []).append("'${' begins ${NAME} or ${NAME:-default}")
        for place in range(1, len(parts), 3):
            name, default = parts[place : place + 2]
            # As in a shell: the default stands in for an empty variable, too.
            given = os.environ.get(name) or default
            if given is None and name not in os.environ:
                found.setdefault(key, []).append(_not_set(name))
            parts[place : place + 2] = [given or "", ""]
        whole = len(parts) == 4 and not parts[0] and not parts[3]
        text = "".join(parts)
        return _scalar(text) if whole and key[0] in _SCALARS else text

    data = filled(document.data, ())
    if found:
        raise ConfigErrors(report(document, found))
    return replace(document, data=data)


def _scalar(text: str) -> Any:
    """A number, true or false out of a variable, which holds text; what is neither stays text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _not_set(name: str) -> str:
    near = nearest(name, os.environ)
    hint = f"nearest: ${{{near}}}" if near else f"set it, or write ${{{name}:-default}}"
    return f"the variable {name} is not set; {hint}"


def unused_root(environment: Environment) -> str | None:
    """The line for a ``project_root`` that is nowhere: the original's users expect it to count."""
    if environment.project_root.is_dir():
        return None
    return (
        f"project_root: no folder {environment.project_root}; no step reads this key, leave it out"
    )


@cache  # once a process, however often the file is read
def _warn(line: str) -> None:
    logger.warning("%s", line)


def _root_fault(file: Path, settings: EnvironmentFile, key: str) -> str | None:
    text: str | None = getattr(settings, key)
    if text is None:
        return None
    if not text.strip():  # Path("") is the folder itself: everything would be written beside it
        return "is empty; name a folder (. is that of this file), or leave the key out"
    try:
        folder = _below(file.parent, text)
        # "D:\new" in JSON is a path with a line break in it.
        typed = any(char < " " for char in text)
        if fault := fault_of(folder, typed=typed):
            return fault
        if key in _MADE and _WINDOWS.match(text) and not folder.is_dir():
            return f"'{text}' {A_WINDOWS_PATH}"
        return None
    except InputError as error:
        return error.what
