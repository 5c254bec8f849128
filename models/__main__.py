"""What models there are, whether a module keeps their contract, and what they cost.

python -m models list                      # every model, also those of models_root
python -m models check my-model            # is it sound: built, trained, saved, restored
python -m models check my-model --exp a/b  # the same with the settings of an experiment
python -m models table                     # write docs/models.md and its pictures anew
python -m models table --check             # only say whether they are up to date
python -m models terms                     # write the table of declared losses and metrics anew
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from models.loading import FOLDER, check_by_name, find_model, list_models
from sensor2sensor.config.environment import Environment, load_environment
from sensor2sensor.core.cli import EXIT_BAD_INPUT, EXIT_DONE, main_guard, parser
from sensor2sensor.core.errors import InputError
from sensor2sensor.core.notices import load_tensorflow

COMMANDS = ("list", "check", "table", "terms")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = parser(__doc__ or "", prog="python -m models")
    made.add_argument("command", choices=COMMANDS, help="what to do")
    made.add_argument("name", nargs="?", metavar="NAME", help="model to check, without '.py'")
    made.add_argument(
        "--exp", "--experiment", metavar="EXP", help="check with the settings of this experiment"
    )
    made.add_argument("--check", action="store_true", help="write nothing, 1 if outdated")
    return made


def main(args: argparse.Namespace) -> int:
    """Run one command; returns the exit code."""
    _refuse_what_does_not_belong(args)
    if args.command == "table":
        from model_tools.table import write_table

        return write_table(only_check=args.check, say=_say)
    if args.command == "terms":
        load_tensorflow()
        from model_tools.terms import write_terms

        return write_terms(only_check=args.check, say=_say)
    environment = load_environment(args.environment)
    if args.command == "list":
        return _list(environment)
    return _check(args.name, args.exp, environment)


def _refuse_what_does_not_belong(args: argparse.Namespace) -> None:
    if (args.name is None) == (args.command == "check"):
        wanted = "needs the NAME of a model" if args.name is None else "takes no NAME"
        raise InputError(f"{args.command} {wanted}", hint="see --help")
    if args.exp is not None and args.command != "check":
        raise InputError(f"{args.command} takes no --exp", hint="only check does")
    if args.check and args.command not in ("table", "terms"):
        raise InputError(f"{args.command} takes no --check", hint="only table and terms do")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _list(environment: Environment) -> int:
    # Read from the source: no module runs, and TensorFlow is not loaded.
    from model_tools.describe import describe

    models = list_models(environment.models_root)
    width = max(len(name) for name in models)
    for name, path in models.items():
        place = "" if path.parent == FOLDER else f"  [{path.parent}]"
        try:
            about = describe(path).sentence
        except SyntaxError as error:  # of a user's module: the others are listed all the same
            about = f"cannot be read: line {error.lineno}: {error.msg}"
        _say(f"{name:<{width}}  {about}{place}")
    return EXIT_DONE


def _check(name: str, exp: str | None, environment: Environment) -> int:
    path = find_model(name, environment.models_root)
    load_tensorflow()
    from model_tools.check import Findings, check_built, check_mixed
    from model_tools.construct import makers

    findings = Findings(_say, path=path)
    found: list[type] = []
    _say(f"{path}")
    if findings.met("source", lambda: check_by_name(name, environment.models_root)) and (
        findings.met("import", lambda: found.append(_gan_class(name, environment)))
    ):
        # A module may write summaries of its own: nothing of them is to stay.
        with tempfile.TemporaryDirectory(prefix="models-check-") as logs:
            for label, make in makers(found[0], exp, environment, Path(logs)).items():
                findings.prefix = f"{label}: "
                check_built(findings, make, name, _training())
            if findings.failed == 0:
                check_mixed(findings, make, name, _training())
    if findings.failed:
        _say(f"{name}: {findings.failed} of {findings.done} checks not met")
        return EXIT_BAD_INPUT
    _say(f"{name} keeps the contract ({findings.done} checks)")
    return EXIT_DONE


def _gan_class(name: str, environment: Environment) -> type:
    from models.loading import load_gan_class

    return load_gan_class(name, environment.models_root)


def _training() -> Any:
    """What the training does with a model, for the checks: this door may know both sides."""
    from model_tools.check import Training
    from sensor2sensor.training import checkpoints, restoring
    from sensor2sensor.training.recipe import prepare
    from sensor2sensor.training.state import TrainingState

    def carry(gan: Any, again: Any, folder: Path) -> None:
        checkpoints.save(folder, TrainingState(gan), 1)
        restoring.restore_latest(folder, TrainingState(again), repair=False)

    return Training(prepare, carry)


if __name__ == "__main__":
    sys.exit(main_guard(main, arguments()))
