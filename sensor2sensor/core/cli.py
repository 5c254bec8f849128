"""Conventions of every door: options, one-line errors, exit codes, the final count."""

from __future__ import annotations

import argparse
import errno
import logging
import math
import sys
import traceback
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import NoReturn

from sensor2sensor.core import geodata, interrupts, notices, streams
from sensor2sensor.core.blame import sentence
from sensor2sensor.core.errors import InputError, Sensor2SensorError, debugging
from sensor2sensor.core.stepreport import EXIT_DONE as EXIT_DONE
from sensor2sensor.core.stepreport import EXIT_SOME_FAILED as EXIT_SOME_FAILED
from sensor2sensor.core.stepreport import StepReport as StepReport

logger = logging.getLogger(__name__)

EXIT_BAD_INPUT, EXIT_INTERRUPTED, EXIT_TERMINATED = 2, 130, 143
LONGEST_PATH = 1024  # shown whole in an error
# The words a user typed where a door is a part of another command; its errors begin with them.
_called: ContextVar[str | None] = ContextVar("called", default=None)


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line with exit code 2 and the nearest option.

    Every option may be written with hyphens or underscores: the names of the original's options
    have underscores, those that came later have hyphens, and nobody can remember which is which.
    """

    _words: Sequence[str] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """Parse what ``args`` (default: the command line) say, in either spelling."""
        words = self._words = list(sys.argv[1:] if args is None else args)
        end = words.index("--") if "--" in words else len(words)
        words[:end] = [self._as_declared(word) for word in words[:end]]
        return super().parse_known_args(words, namespace)

    def _as_declared(self, word: str) -> str:
        """An option as it was declared; any other word, and one that is not known, as it is."""
        if not word.startswith("--") or word == "--":
            return word
        name, equals, value = word.partition("=")
        declared = {option.replace("_", "-"): option for option in self._option_string_actions}
        return declared.get(name.replace("_", "-"), name) + equals + value

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}{self._nearest(message)}; see --help\n")
        raise SystemExit(EXIT_BAD_INPUT)

    def _nearest(self, message: str) -> str:
        options = [o for action in self._actions for o in action.option_strings]
        if message.startswith("the following arguments are required:"):
            # argparse looks for what is missing first, and that may be there, but misspelt.
            typed = [word.partition("=")[0] for word in self._words if word.startswith("--")]
            slips = {word: _option_like(word, options) for word in typed if word not in options}
            found = [f"{word}: nearest {near}" for word, near in slips.items() if near]
            return f" ({'; '.join(found)})" if found else ""
        if not message.startswith("unrecognized arguments:"):
            return ""
        unknown = message.split(":", 1)[1].split()
        near = _option_like(unknown[0].split("=")[0], options) if unknown else None
        return f" (nearest: {near})" if near else ""


def _option_like(word: str, options: Sequence[str]) -> str | None:
    """The option that a word begins, where it is one alone; else the one most like it."""
    from sensor2sensor.core.names import nearest

    # --eval is as near to --help as to --evaluation by the letters they share.
    begun = [one for one in options if len(word) > 3 and one.startswith(word)]
    return begun[0] if len(begun) == 1 else nearest(word, options)


@contextmanager
def called_as(words: str) -> Iterator[None]:
    """Let the door that is opened inside the block go by other words: ``s2s inventory``."""
    token = _called.set(words)
    try:
        yield
    finally:
        _called.reset(token)


@contextmanager
def part_of(prog: str, word: str) -> Iterator[None]:
    """Let what a word of a door's command line opens go by that door's words and its own."""
    with called_as(f"{_called.get() or prog} {word}"):
        yield


def positive(text: str) -> int:
    """A whole number of 1 or more, as a type of an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value


def finite(text: str) -> float:
    """A number that is one, as a type of an option."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is no finite number")
    return value


def above_zero(text: str) -> float:
    """A finite number above 0, as a type of an option."""
    value = finite(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def parser(
    doc: str, *, prog: str, steps: bool = False, seed: bool = True
) -> argparse.ArgumentParser:
    """A parser described by a door's docstring, with the options every door has.

    Args:
        doc: The docstring; its text is shown as it stands, but for the words
            that call it in its examples.
        prog: The command's name, unless it is :func:`called_as` another.
        steps: Also add ``--dry-run``, ``--limit``, ``--workers``, ``--scheduler`` and ``--seed``
            of the numbered steps.
        seed: Whether the step draws anything; without draws there is no ``--seed``.
    """
    called = _called.get()
    if called:  # who has no checkout has no preprocessing/ either
        doc = doc.replace(f"python preprocessing/{prog}", called)
    made = _Parser(
        prog=called or prog,
        description=doc.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    common = made.add_argument_group(
        "common options", "any option may be written with - or with _ between its words"
    )
    common.add_argument(
        "--environment",
        metavar="FILE",
        help="environment.json to use (default: the one of the project; installed, of this folder)",
    )
    common.add_argument(
        "--debug", action="store_true", help="show tracebacks and what TensorFlow says"
    )
    common.add_argument(
        "--log-level",
        default="WARNING",
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
        help=argparse.SUPPRESS,
    )
    if steps:
        common.add_argument(
            "--dry-run", action="store_true", help="say what would be done, write nothing"
        )
        common.add_argument(
            "--limit", type=positive, metavar="N", help="a trial: the first N in order (all)"
        )
        common.add_argument(
            "--workers", type=positive, default=1, metavar="N", help="processes (default 1)"
        )
        common.add_argument(
            "--scheduler",
            metavar="ADDRESS",
            help="tcp://host:port of a Dask scheduler, whose workers take the place of processes",
        )
    if steps and seed:
        common.add_argument(
            "--seed", type=int, default=0, metavar="N", help="seed of every draw (default 0)"
        )
    return made


def add_parts(made: argparse.ArgumentParser) -> None:
    """The options of a step that may be done in parts, by runs that know nothing of each other."""
    from sensor2sensor.core.parts import part

    either = made.add_argument_group("arrays of a queue").add_mutually_exclusive_group()
    either.add_argument(
        "--part", type=part, metavar="I/N", help="do every N-th item alone, beginning with the I-th"
    )
    either.add_argument(
        "--merge", type=positive, metavar="N", help="join the N parts; refused while one is missing"
    )


def add_split(made: argparse.ArgumentParser) -> None:
    """The option that keeps ``test`` unseen while recipes are chosen."""
    made.add_argument(
        "--split", choices=("test", "val"), default="test", help="split to score (default: test)"
    )


def add_set(
    made: argparse.ArgumentParser,
    what: str,
    example: str,
    allowed: Sequence[str] = (),
    known: Container[str] = (),
) -> None:
    """The option ``--set KEY=VALUE``, which may be given several times.

    Args:
        made: The parser.
        what: What is set, for the help.
        example: Of a ``KEY=VALUE``, for the help.
        allowed: The keys that may be set; all where none is named.
        known: The keys there are; one that is not among them is a slip of the keyboard.
    """
    from sensor2sensor.core.names import nearest

    def checked(text: str) -> str:
        key = text.partition("=")[0].strip()
        if allowed and key not in allowed:
            near = None if key.partition(".")[0] in known else nearest(key, allowed)
            if near:
                raise argparse.ArgumentTypeError(f"unknown key {key}; did you mean {near}?")
            problem = f"{key} is taken from the run; only {', '.join(allowed)} may be set here"
            raise argparse.ArgumentTypeError(problem)
        return text

    made.add_argument(
        "--set", action="append", default=[], type=checked, metavar="KEY=VALUE",
        help=f"{what}: --set {example}; may be repeated",
    )  # fmt: skip


def main_guard(
    fn: Callable[[argparse.Namespace], int],
    arguments: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Parse, run, and turn errors into one line and an exit code.

    Returns:
        0 done, 1 some items failed, 2 bad input, 130 interrupted, 143 after SIGTERM in a step.
    """
    streams.forgive()
    args = arguments.parse_args(argv)
    notices.set_level(debug=args.debug)
    logging.basicConfig(level=args.log_level, format="%(levelname)s %(name)s: %(message)s")
    for line in geodata.set_aside():
        logger.warning("%s", line)
    if args.debug:
        logging.getLogger("sensor2sensor").setLevel(logging.DEBUG)
    token = debugging.set(args.debug)
    try:
        with _workers_of(args):
            code = fn(args)
        sys.stdout.flush()  # a full disk is told of here, not in a traceback of Python's end
        return code
    except Sensor2SensorError as error:
        return _fail(str(error), arguments.prog, args.debug, error.exit_code)
    except interrupts.Terminated:
        return _fail("ended by SIGTERM", arguments.prog, args.debug, EXIT_TERMINATED)
    except KeyboardInterrupt:
        return _fail("interrupted", arguments.prog, args.debug, EXIT_INTERRUPTED)
    except OSError as error:
        # A full disk, a missing right, a vanished share: the user's to mend, no traceback needed.
        code = EXIT_BAD_INPUT if error.errno == errno.ENAMETOOLONG else EXIT_SOME_FAILED
        return _fail(_system_error(error), arguments.prog, args.debug, code)
    except Exception as error:
        problem = f"{sentence(error)}; --debug shows where, please report it"
        return _fail(problem, arguments.prog, args.debug, EXIT_SOME_FAILED)
    finally:
        debugging.reset(token)


@contextmanager
def _workers_of(args: argparse.Namespace) -> Iterator[None]:
    """What a step that has workers needs around it: their cluster, and SIGTERM like Ctrl-C."""
    with ExitStack() as around:
        if hasattr(args, "scheduler"):
            from sensor2sensor.core.parallel import one_thread

            around.enter_context(interrupts.raised())
            around.enter_context(one_thread())
        if getattr(args, "scheduler", None):
            from sensor2sensor.core.cluster import joined

            around.enter_context(joined(args.scheduler))
        yield


def _system_error(error: OSError) -> str:
    name = str(error.filename or "")
    shown = name if len(name) <= LONGEST_PATH else f"{name[:80]}... ({len(name)} letters)"
    said = error.strerror or str(error)
    return f"{said}: {shown}" if shown else said


def _fail(message: str, prog: str, debug: bool, code: int) -> int:
    if debug:
        traceback.print_exc()
    for line in message.splitlines():
        print(f"{prog}: {line}", file=sys.stderr)
    return code


def say(text: str) -> None:
    """Print a line that a step has to tell beside its report."""
    print(text)


def comma_list(text: str) -> tuple[str, ...]:
    """``a,b`` → ``("a", "b")``; InputError for an empty list."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise InputError(f"'{text}' is an empty list")
    return names
