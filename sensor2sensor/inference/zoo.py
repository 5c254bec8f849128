"""A zoo: a folder of exported models, and ``models.json``, which knows each by a short name.

The list names the sidecar (``.json``) or card (``.yaml``) of a model by its digest; that file knows
the digest of the network, so that nothing is run which is not what was entered.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensor2sensor.core import files, locks
from sensor2sensor.core.errors import InputError, OutputExistsError
from sensor2sensor.core.names import suggestion
from sensor2sensor.dataset.form import Form
from sensor2sensor.predictors.exported import experiment_of

LIST = "models.json"
FILES = (".json", ".yaml", ".yml", ".onnx")  # what predict opens


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Entry(_Frozen):
    """One model.

    Attributes:
        file: Its sidecar or card, relative to the folder.
        sha256: Of that file.
        title: A line for those who choose.
        input: Names of the bands it takes.
        output: Names of the bands it makes.
    """

    file: str
    sha256: str
    title: str
    input: list[str]
    output: list[str]


class Zoo(_Frozen):
    """The content of ``models.json``."""

    format_version: int = Field(default=1, ge=1, le=1)
    models: dict[str, Entry] = Field(default_factory=dict)


def read_zoo(folder: Path) -> Zoo:
    """The list of a zoo.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = folder / LIST
    if not path.is_file():
        hint = "name the folder that export.py --zoo wrote to, or the file of a model"
        raise InputError(f"no zoo: it has no {LIST}", where=folder, hint=hint)
    try:
        return Zoo.model_validate(files.read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"is no list of models ({place}: {first['msg']})", where=path) from None


def enter(folder: Path, name: str, file: Path, *, title: str, form: Form) -> Entry:
    """Enter a model under a name, in the place of the one that had it.

    Args:
        folder: The zoo.
        name: The name.
        file: The model's sidecar or card, below the folder.
        title: A line for those who choose.
        form: What it takes and makes.

    Raises:
        InputError: The file lies elsewhere, or the list is damaged.
        OutputExistsError: The name is that of another experiment.
    """
    if not file.resolve().is_relative_to(folder.resolve()):
        raise InputError("lies outside the zoo", where=file, hint=f"export into {folder}")
    place = file.resolve().relative_to(folder.resolve()).as_posix()
    taken, made = ([band.name for band in side.bands] for side in (form.input, form.target))
    entry = Entry(file=place, sha256=files.sha256(file), title=title, input=taken, output=made)
    with locks.lock(folder / f".{LIST}.lock"):  # two exports must not lose each other's entry
        refuse_taken(folder, name, experiment_of(file))
        known = read_zoo(folder).models if (folder / LIST).is_file() else {}
        models = dict(sorted({**known, name: entry}.items()))
        files.write_json(folder / LIST, Zoo(models=models).model_dump())
    return entry


def name_of(experiment: str) -> str:
    """The name of an experiment's model: ``a-b`` of ``a/b``."""
    return experiment.replace("/", "-")


def refuse_taken(folder: Path, name: str, experiment: str | None) -> None:
    """Refuse a name that another experiment has: ``a/b`` and ``a-b`` are entered as one.

    Raises:
        InputError: The list is damaged.
        OutputExistsError: It is taken.
    """
    known = read_zoo(folder).models if (folder / LIST).is_file() else {}
    other = None if name not in known else experiment_of(folder / known[name].file)
    if other is not None and other != experiment:
        what = f"'{name}' is a model of experiment {other}, not of {experiment}"
        raise OutputExistsError(what, where=folder / LIST, hint="export into another folder")


def find_model(said: str, folder: Path) -> Path:
    """The file of a model that is named by its path or by its name in a zoo.

    Args:
        said: A path, or a name; a file that is there comes first.
        folder: The zoo.

    Raises:
        InputError: There is no such file or name, the nearest of which is given; or the file is not
            the one that was entered.
    """
    path = Path(said)
    if path.is_file() or (path / "saved_model.pb").is_file():
        return path
    if path.suffix.lower() in FILES or path.name != said:
        raise InputError("there is no such file", where=said)
    models = read_zoo(folder).models
    if said not in models:
        raise InputError(f"no model '{said}'", where=folder / LIST, hint=suggestion(said, models))
    entry = models[said]
    place = PurePosixPath(entry.file)
    # The list may come from anywhere: it opens no file but its own.
    if place.is_absolute() or ".." in place.parts:
        raise InputError(f"{said}: '{entry.file}' leaves the folder", where=folder / LIST)
    found = folder / entry.file
    if not found.is_file():
        what = f"{said}: there is no {entry.file}"
        raise InputError(what, where=folder / LIST, hint="copy the whole folder")
    if files.sha256(found) != entry.sha256:
        what = f"{said}: {entry.file} is not the file that was entered (other SHA-256)"
        raise InputError(what, where=folder / LIST, hint="export it once more with --zoo")
    return found
