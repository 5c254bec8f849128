"""Where an experiment lies, and the data set that it names."""

from __future__ import annotations

from pathlib import Path

from sensor2sensor.config.environment import Environment
from sensor2sensor.config.experiment_file import ExperimentFile
from sensor2sensor.config.jsonc import JsonDocument
from sensor2sensor.config.validate import report
from sensor2sensor.core.errors import ConfigErrors, InputError
from sensor2sensor.core.names import suggestion
from sensor2sensor.core.paths import fault_of


def find_experiment(exp: str, environment: Environment) -> Path:
    """The folder of an experiment: below ``experiment_root``, holding an ``experiment.json``.

    Args:
        exp: Its name there, or a path to it or its file, as a shell completes them.
        environment: Says where ``experiment_root`` is.

    Raises:
        InputError: There is none; the nearest is named.
    """
    root = environment.require("experiment_root")
    typed = exp.removesuffix("experiment.json") if Path(exp).name == "experiment.json" else exp
    for folder in (root / typed.strip("/"), Path(typed)):
        # Resolved: neither .. nor a link may lead out of experiment_root.
        if fault_of(folder) is None and folder.resolve().is_relative_to(root.resolve()):
            place = folder.resolve()
            if (place / "experiment.json").is_file():
                return root / place.relative_to(root.resolve())
    known = [path.parent.relative_to(root).as_posix() for path in root.rglob("experiment.json")]
    # Every run keeps a copy of its experiment.json there.
    known = [name for name in known if "/logs/" not in f"/{name}/"]
    problem = f"no experiment '{exp}' (a folder with an experiment.json)"
    raise InputError(problem, where=root, hint=suggestion(exp, known))


def find_dataset(config: ExperimentFile, document: JsonDocument, environment: Environment) -> Path:
    """The folder ``<data_root>/<dataset>/<tilesize>``.

    Raises:
        ConfigErrors: It does not exist; nearest data set or existing tile sizes are named.
    """
    fault = dataset_fault(environment.data_root, config.dataset, config.tilesize)
    if fault is not None:
        raise ConfigErrors(report(document, {(fault[0],): [fault[1]]}))
    return environment.data_root / config.dataset / str(config.tilesize)


def dataset_fault(root: Path, dataset: str, tilesize: int) -> tuple[str, str] | None:
    """What is wrong with the name of a data set: ``dataset`` or ``tilesize``, and why.

    Args:
        root: ``data_root``.
        dataset: Its name, as a user gave it.
        tilesize: Its tile size.
    """
    if dataset in ("", ".", "..") or {"/", "\\"} & set(dataset):
        return "dataset", f"'{dataset}' is a path; name one folder of {root}"
    folder = root / dataset
    if (fault := fault_of(folder, typed=True)) is not None:
        return "dataset", fault
    if (folder / str(tilesize) / "dataset.json").is_file():
        return None
    sizes = sorted(path.parent.name for path in folder.glob("*/dataset.json"))
    if sizes or folder.is_dir():
        return "tilesize", f"'{dataset}' has tile sizes {', '.join(sizes) or 'none'}"
    known = {path.parents[1].name for path in root.glob("*/*/dataset.json")}
    if "pairs" not in dataset:
        # What a registration learns on is hardly meant by a name that does not say so.
        known = {name for name in known if not name.endswith("_pairs")} or known
    return "dataset", f"no data set '{dataset}' in {root}; {suggestion(dataset, known)}"
