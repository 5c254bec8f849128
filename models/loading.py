"""Finding a model by its name: one module of ``models/``, checked against the contract.

This module imports no TensorFlow; only :func:`load_gan_class` does, by importing the model.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from sensor2sensor.core.blame import line_in, sentence
from sensor2sensor.core.errors import ModelContractError
from sensor2sensor.core.names import suggestion
from sensor2sensor.predictors.registry import REGISTRY as BASELINES

FOLDER = Path(__file__).resolve().parent
NAME = re.compile(r"[A-Za-z0-9_-]+")
# Modules of models/ that models import: one of the user's is imported as models.NAME too.
RESERVED = frozenset({"layers", "losses", "metrics", "loading", "registry", "base"})
RESERVED |= {"objectives", "parts"}
METHODS = ("Generator", "Discriminator", "train_step")
# discriminator_optimizer is left to training.contract: a model without discriminator needs none.
ATTRIBUTES = ("generator", "discriminator", "generator_optimizer")
STEP_ARGUMENTS = ("input_image", "target", "step")
BLUEPRINT = "copy models/pix2pix.py and change its networks"


def list_models(models_root: Path | None = None) -> dict[str, Path]:
    """Every model by name: the modules of ``models/`` and of ``models_root``, helpers left out.

    Of a name in both folders it is the module in ``models_root``.

    Raises:
        ModelContractError: There is no folder ``models_root``.
    """
    return _modules(FOLDER) | ({} if models_root is None else _modules(models_root))


def precedence(name: str, models_root: Path | None = None) -> str | None:
    """The line that says which of two modules of one name is taken; None where there is one."""
    path = find_model(name, models_root)
    if path.resolve().parent == FOLDER:
        return None
    if name in BASELINES:
        return f"model '{name}' is {path}, which takes precedence over the baseline of that name"
    if not (FOLDER / path.name).is_file():
        return None
    return f"model '{name}' is {path}, which takes precedence over the one in {FOLDER}"


def is_baseline(name: str, models_root: Path | None = None) -> bool:
    """Whether a ``model_name`` means a baseline; a module of that name takes precedence."""
    return name in BASELINES and name not in list_models(models_root)


def unused_helpers(models_root: Path | None) -> str | None:
    """The line that names helpers in ``models_root`` which no module there gets; None if none."""
    found = [] if models_root is None else sorted(p.name for p in models_root.glob("*.py"))
    names = [name for name in found if Path(name).stem in RESERVED]
    if not names:
        return None
    return f"{models_root}: {', '.join(names)} not used; modules there get those of {FOLDER}"


def _modules(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ModelContractError("no such folder", where=folder, hint="check models_root")
    paths = sorted(folder.glob("*.py"))
    return {path.stem: path for path in paths if NAME.fullmatch(path.stem) and _public(path.stem)}


def _public(name: str) -> bool:
    return name not in RESERVED and not name.startswith("__")


def find_model(name: str, models_root: Path | None = None) -> Path:
    """The file of a model.

    Args:
        name: Letters, digits, hyphens and underscores: never a path.
        models_root: A further folder to look in.

    Raises:
        ModelContractError: No such model; the nearest name is given.
    """
    models = list_models(models_root)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ModelContractError(
            f"'{name}' is no model name",
            where="model_name",
            hint="letters, digits, '-' and '_', without path and ending",
        )
    if not _public(name):
        hint = f"models are: {', '.join(models)}"
        raise ModelContractError(f"'{name}' is a helper module", where="model_name", hint=hint)
    if name in models:
        return models[name]
    if name in BASELINES:
        hint = "train.py and evaluate.py take its name; it has no module"
        raise ModelContractError(f"'{name}' is a baseline", where="model_name", hint=hint)
    known = suggestion(name, [*models, *BASELINES])
    raise ModelContractError(f"no model '{name}'", where="model_name", hint=known)


def check_by_name(name: str, models_root: Path | None = None) -> None:
    """Check a model's source against the contract without running it (no TensorFlow).

    What cannot be known from the source, such as what a base class brings, is left to
    :func:`load_gan_class`.

    Raises:
        ModelContractError: No such model, or everything its class GAN lacks.
    """
    path = find_model(name, models_root)
    tree = _parse(path)
    gan = next((n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "GAN"), None)
    if gan is None:
        if _imports_gan(tree):
            return
        raise ModelContractError("it has no class GAN", where=path, hint=BLUEPRINT)
    problems = _class_problems(gan)
    if problems:
        raise ModelContractError(f"class GAN {'; '.join(problems)}", where=path, hint=BLUEPRINT)


def left_out_groups(
    name: str, params: Mapping[str, object], models_root: Path | None = None
) -> tuple[str, ...]:
    """Groups of input bands that have no part in a model as its params are (no TensorFlow).

    A class GAN states them in ``OPTIONAL_GROUPS``, a literal (nothing is run to read it): the param
    that, being false, leaves a group out. A model that is no module leaves none out.

    Raises:
        ModelContractError: What it states is no such table.
    """
    path = list_models(models_root).get(name)
    tree = ast.Module([], []) if path is None else _parse(path)
    stated = [
        node.value
        for gan in tree.body
        if isinstance(gan, ast.ClassDef) and gan.name == "GAN"
        for node in gan.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and re.match(r"OPTIONAL_GROUPS\b", ast.unparse(node))
    ]
    try:
        table: dict[str, str] = dict(ast.literal_eval(stated[-1])) if stated else {}
        if not all(isinstance(word, str) for word in (*table, *table.values())):
            raise TypeError("names only")
    except (ValueError, TypeError):
        problem, hint = "OPTIONAL_GROUPS is no literal table of names", 'such as {"sar": "S1"}'
        raise ModelContractError(problem, where=path, hint=hint) from None
    return tuple(group for param, group in table.items() if params.get(param) is False)


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        problem = f"{type(error).__name__}: {error.args[0]}"
        raise ModelContractError(problem, where=_place(path, line)) from error


def _place(path: Path, line: int | None) -> str:
    return str(path) if line is None else f"{path}:{line}"


def _imports_gan(tree: ast.Module) -> bool:
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return any((alias.asname or alias.name) == "GAN" for node in imports for alias in node.names)


def _class_problems(gan: ast.ClassDef) -> list[str]:
    methods = {node.name: node for node in gan.body if isinstance(node, ast.FunctionDef)}
    if any(not (isinstance(b, ast.Name) and b.id == "object") for b in gan.bases):
        lacking: list[str] = []  # a base class may bring the rest
    else:
        assigned = _assigned(gan)
        lacking = [f"has no method {name}" for name in METHODS if name not in methods]
        if not _hands_itself_on(methods.get("__init__")):
            lacking += [f"never sets self.{name}" for name in ATTRIBUTES if name not in assigned]
    step = methods.get("train_step")
    if step is None:
        return lacking
    if not any(_is_tf_function(decorator) for decorator in step.decorator_list):
        lacking.append("has a train_step that is not decorated with @tf.function")
    positional = [a.arg for a in step.args.posonlyargs + step.args.args][1:]
    return lacking + _argument_problems(positional)


def _argument_problems(positional: list[str]) -> list[str]:
    if tuple(positional[: len(STEP_ARGUMENTS)]) == STEP_ARGUMENTS:
        return []
    wanted = ", ".join(STEP_ARGUMENTS)
    return [f"has a train_step({', '.join(['self', *positional])}) that must begin with {wanted}"]


def _assigned(gan: ast.ClassDef) -> set[str]:
    """Names set on self, or in the class body."""
    stores = [node for node in ast.walk(gan) if isinstance(node, ast.Attribute | ast.Name)]
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in stores
        if isinstance(node.ctx, ast.Store)
    }


def _hands_itself_on(method: ast.FunctionDef | None) -> bool:
    """Whether a method passes self to a function, as to ``base.assemble``, which may set it."""
    calls = [] if method is None else [n for n in ast.walk(method) if isinstance(n, ast.Call)]
    return any(isinstance(a, ast.Name) and a.id == "self" for call in calls for a in call.args)


def _is_tf_function(decorator: ast.expr) -> bool:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(target, ast.Attribute):
        return target.attr == "function"
    return isinstance(target, ast.Name) and "function" in target.id


def is_users(name: str, models_root: Path | None) -> bool:
    """Whether the model of a name is a module of ``models_root``."""
    return models_root is not None and (models_root / f"{name}.py").is_file()


def find_modules(names: Sequence[str], models_root: Path | None) -> dict[str, Path]:
    """The files of modules with losses and metrics, by name (no TensorFlow).

    Args:
        names: ``modules`` of ``experiment.json``.
        models_root: The folder they lie in (``environment.json``).

    Raises:
        ModelContractError: There is no such module, or it cannot be parsed.
    """
    if names and models_root is None:
        hint = "set models_root to the folder of your modules"
        raise ModelContractError("environment.json has no models_root", where="modules", hint=hint)
    known = {} if models_root is None else _modules(models_root)
    for name in names:
        if name in RESERVED:
            problem = f"'{name}' is the name of a helper in {FOLDER}, which it would replace"
            raise ModelContractError(problem, where="modules", hint="give the file another name")
        if name not in known:
            problem = f"no module '{name}' in {models_root}"
            raise ModelContractError(problem, where="modules", hint=suggestion(name, known))
        _parse(known[name])
    return {name: known[name] for name in names}


def import_modules(names: Sequence[str], models_root: Path | None) -> None:
    """Import modules of ``models_root``, which enter their losses and metrics.

    Raises:
        ModelContractError: As :func:`find_modules`, or the import fails.
    """
    for name, path in find_modules(names, models_root).items():
        _import(name, path)


def load_gan_class(name: str, models_root: Path | None = None, modules: Sequence[str] = ()) -> type:
    """Import one model and return its class GAN.

    Args:
        name: The model, as in ``experiment.json``.
        models_root: A further folder to look in (``environment.json``).
        modules: Modules in it that are imported first (``modules`` of ``experiment.json``).

    Raises:
        ModelContractError: No such model, its import fails (the error itself is shown), or the
            class does not keep the contract.
    """
    path = find_model(name, models_root)
    import_modules(modules, models_root)
    module = _import(name, path)
    gan = getattr(module, "GAN", None)
    if not inspect.isclass(gan):
        raise ModelContractError("it has no class GAN", where=path, hint=BLUEPRINT)
    problems = [f"has no method {method}" for method in METHODS if not hasattr(gan, method)]
    problems += _step_problems(gan)
    if problems:
        raise ModelContractError(f"class GAN {'; '.join(problems)}", where=path, hint=BLUEPRINT)
    return gan


def find_gan_class(
    name: str,
    models_root: Path | None,
    say: Callable[[str], None],
    modules: Sequence[str] = (),
) -> type:
    """As :func:`load_gan_class`; ``say`` takes a line where another file might be expected."""
    shipped = find_model(name, models_root).resolve().parent == FOLDER
    lines = [precedence(name, models_root), None if shipped else unused_helpers(models_root)]
    for line in lines:
        if line is not None:
            say(line)
    return load_gan_class(name, models_root, modules)


def _import(name: str, path: Path) -> ModuleType:
    # A user's module must find `models` and `experiment` whatever folder it runs from.
    if str(FOLDER.parent) not in sys.path:
        sys.path.insert(0, str(FOLDER.parent))
    qualified = f"models.{name}"
    # By its file: aris-a is a name of a model, and none that an import statement takes.
    spec = importlib.util.spec_from_file_location(qualified, path)
    assert spec is not None and spec.loader is not None  # the ending is .py
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(qualified)
    # Before it runs: a dataclass in it looks its own module up.
    sys.modules[qualified] = module
    try:
        spec.loader.exec_module(module)
    # SystemExit too: a module may have been written as a script.
    except (Exception, SystemExit) as error:
        _forget(qualified, before)
        problem = f"its import fails: {sentence(error)}"
        raise ModelContractError(problem, where=_place(path, line_in(path, error))) from error
    return module


def _forget(qualified: str, before: ModuleType | None) -> None:
    if before is None:
        del sys.modules[qualified]
    else:
        sys.modules[qualified] = before


def _step_problems(gan: type) -> list[str]:
    import tensorflow as tf

    step = getattr(gan, "train_step", None)
    if step is None:
        return []
    if not isinstance(step, tf.types.experimental.PolymorphicFunction):
        return ["has a train_step that is not decorated with @tf.function"]
    # Of the class, so self is among them.
    parameters = list(inspect.signature(step.python_function).parameters.values())[1:]
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return _argument_problems([p.name for p in parameters if p.kind in kinds])
