"""The house rules that a machine can check: import direction, door length, XML and pickle bans."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS = {
    "core": 0, "config": 0,
    "products": 1, "geo": 1, "sources": 1, "dataset": 1,
    "pipeline": 2, "metrics": 2, "predictors": 2, "networks": 2,
    "preprocess": 3, "training": 3, "evaluation": 3, "inference": 3, "report": 3,
}  # fmt: skip
TENSORFLOW_FREE = {"core", "config", "products", "geo", "sources", "dataset", "preprocess"}
TENSORFLOW_FREE |= {"inference"}  # who runs an exported model need not have it
TENSORFLOW_FREE |= {"predictors"}  # doors and model names ask its registry
TENSORFLOW_FLOOR = {"pipeline", "metrics", "networks"}
DOORS = (
    "train.py",
    "evaluate.py",
    "export.py",
    "predict.py",
    "show.py",
    "calibrate.py",
    "several.py",
)
DOORS += ("models/__main__.py",)
NUMBERED_LINES, DOOR_LINES, FILE_LINES = 20, 150, 350


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path, *, module_level: bool = False) -> list[str]:
    """Dotted names a file imports; at module level only, or anywhere.

    What stands under ``if TYPE_CHECKING`` is for the type checker and not run.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = _run_at_import(tree) if module_level else list(ast.walk(tree))
    names: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def _run_at_import(tree: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or guarded:
            continue
        found += [node, *_run_at_import(node)]
    return found


def package_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "sensor2sensor" and len(parts) > 1 else None


PACKAGE_FILES = [p for p in sources("sensor2sensor") if p.parent != ROOT / "sensor2sensor"]


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    own = path.relative_to(ROOT / "sensor2sensor").parts[0]
    for name in imports(path):
        assert name.split(".")[0] not in ("models", "experiment", "tests", "train", "evaluate"), (
            name
        )
        other = package_of(name)
        if other is None or other == own or other not in FLOORS:
            continue
        assert FLOORS[other] <= FLOORS[own], f"{own} imports {other}, which is above it"
        if FLOORS[own] == 3:
            assert FLOORS[other] < 3, f"verbs never import each other: {own} imports {other}"
        if own == "preprocess":
            assert other not in TENSORFLOW_FLOOR, f"preprocess imports {other}"
        if own == "core":
            assert other == "core", f"core imports {other}"


@pytest.mark.parametrize(
    "path",
    [p for p in PACKAGE_FILES if p.relative_to(ROOT / "sensor2sensor").parts[0] in TENSORFLOW_FREE]
    + [
        ROOT / "experiment.py",
        ROOT / "train.py",
        ROOT / "evaluate.py",
        ROOT / "export.py",
        ROOT / "predict.py",
        ROOT / "show.py",
        ROOT / "calibrate.py",
        ROOT / "several.py",
        *sources("preprocessing"),
    ]
    + [ROOT / "models" / "__main__.py", ROOT / "models" / "loading.py"],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_no_tensorflow_at_import(path: Path) -> None:
    for name in imports(path, module_level=True):
        assert name.split(".")[0] not in ("tensorflow", "keras"), f"{path} imports {name}"
        assert package_of(name) not in TENSORFLOW_FLOOR, f"{path} imports {name}"


def test_models_import_only_what_they_may() -> None:
    door = ROOT / "models" / "__main__.py"  # composes models and training, as train.py does
    for path in [path for path in sources("models") + sources("model_tools") if path != door]:
        for name in imports(path):
            assert package_of(name) not in {"preprocess", "training", "evaluation", "report"}, (
                f"{path.name} imports {name}"
            )


def test_numbered_doors_are_thin() -> None:
    doors = sorted((ROOT / "preprocessing").glob("[0-9]*.py"))
    assert len(doors) == 9
    for path in doors:
        assert len(path.read_text().splitlines()) <= NUMBERED_LINES, path.name


def test_doors_are_short() -> None:
    for name in DOORS:
        assert len((ROOT / name).read_text().splitlines()) <= DOOR_LINES, name


def test_files_are_short() -> None:
    folders = ("sensor2sensor", "models", "model_tools", "tests", "benchmarks", "examples")
    every = [path for folder in folders for path in sources(folder)] + [ROOT / "experiment.py"]
    long = {
        str(p.relative_to(ROOT)): n
        for p in every
        if (n := len(p.read_text().splitlines())) > FILE_LINES
    }
    assert not long


def test_xml_goes_through_one_module() -> None:
    for path in sources("sensor2sensor"):
        if path.name == "xml.py":
            continue
        for name in imports(path):
            assert not name.startswith(("xml", "defusedxml", "lxml")), f"{path} imports {name}"


def test_nothing_unpickles() -> None:
    for path in [*sources("sensor2sensor"), *sources("models")]:
        for name in imports(path):
            assert name.split(".")[0] not in ("pickle", "dill", "joblib", "shelve"), (
                f"{path}: {name}"
            )
        assert "allow_pickle=True" not in path.read_text(), path
        assert "safe_mode=False" not in path.read_text(), path


PRIVATE = {"_nodes_by_depth", "_flatten_layers", "_inbound_nodes", "_keras_history", "_functional"}


def test_no_private_part_of_keras_is_read() -> None:
    """They change with any release; read by name or through ``getattr``."""
    for path in [*sources("sensor2sensor"), *sources("models"), *sources("model_tools")]:
        for name in imports(path):
            assert not f"{name}.".startswith("keras.src."), f"{path} imports {name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "value", None)
            assert not (isinstance(name, str) and name in PRIVATE), f"{path}: {name}"


CALLED = {"PIL": "pillow", "ruamel": "ruamel.yaml"}


def test_what_the_light_library_requires_is_what_it_imports() -> None:
    """What only tests and benchmarks ask for stands in requirements-dev.txt."""
    base = (ROOT / "requirements" / "base.txt").read_text(encoding="utf-8")
    required = set(re.findall(r"^([\w.]+)>=", base, re.M))
    files = [*sources("sensor2sensor"), ROOT / "experiment.py"]
    asked = {name.split(".")[0] for path in files for name in imports(path)}
    asked |= {"h5netcdf"}  # xarray's engine, by its name
    assert required <= {CALLED.get(name, name) for name in asked}


def functions(path: Path) -> list[int]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.end_lineno - n.lineno + 1 for n in ast.walk(tree) if isinstance(n, kinds)]


def test_functions_are_short() -> None:
    lengths = sorted(n for path in sources("sensor2sensor") for n in functions(path))
    assert lengths[len(lengths) // 2] <= 12
    assert lengths[int(len(lengths) * 0.9)] <= 40


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(\w+(?:\.\w+){2,})`", ARCHITECTURE)))


@pytest.mark.parametrize("name", NAMED)
def test_what_the_architecture_names_is_there(name: str) -> None:
    """Read from the source: importing all of it would load TensorFlow."""
    parts = name.split(".") if name.startswith("models.") else ["sensor2sensor", *name.split(".")]
    depth = next(n for n in range(len(parts), 0, -1) if _module(parts[:n]).is_file())
    body: list[ast.stmt] = ast.parse(_module(parts[:depth]).read_text(encoding="utf-8")).body
    assert parts[depth:], f"{name} is a module, not a function"
    for part in parts[depth:]:
        made = ast.FunctionDef | ast.ClassDef
        found = [node for node in body if isinstance(node, made) and node.name == part]
        assert found, f"{name}: no {part}"
        body = found[0].body


def _module(parts: list[str]) -> Path:
    return ROOT.joinpath(*parts).with_suffix(".py")


def test_every_room_has_its_paragraph() -> None:
    for room in FLOORS:
        if (ROOT / "sensor2sensor" / room).is_dir():
            assert f"\n**{room}** " in ARCHITECTURE, room
