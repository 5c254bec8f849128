"""Commands and snippets of the pages: parsed by the real parsers, validated, taken from tests."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import calibrate
import evaluate
import export
import predict
import show
import train
from examples import getting_data
from models import __main__ as models_door
from sensor2sensor import __main__ as package_door
from sensor2sensor import commands
from sensor2sensor.config.compose import EXTENDS, OWN
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.core import cli
from tests.fakes import __main__ as generate
from tests.unit.test_commands import DOORS
from tests.unit.test_docs import PAGES, ROOT

OPENERS = ("python", "python3.12", "s2s", "make", "pip", "mkdocs")
BLOCK = re.compile(
    r"^(?:<!-- (?P<marker>.*?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)
# Not the changelog and the decisions, which tell what was.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md" and page.parent.name != "adr"]


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Kind, text and marker (a comment on the line before) of each fenced block."""
    for found in BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield found["kind"], found["text"], found["marker"] or ""


def console_lines(page: Path) -> Iterator[str]:
    """Commands in fenced and indented blocks and between backticks, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [text_ for kind, block, _ in blocks(page) if not kind for text_ in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", BLOCK.sub("", text), re.M)
    lines += re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))
    for line in lines:
        for part in line.split(" && "):
            if part.split()[:1] and part.split()[0] in OPENERS and len(part.split()) > 1:
                yield part.strip()


COMMANDS = [(page, line) for page in CURRENT for line in dict.fromkeys(console_lines(page))]


@pytest.fixture
def parse_only(monkeypatch):
    """Doors read their command line and stop there."""

    def parsed(_run, arguments, argv=None):
        arguments.parse_args(argv)
        return 0

    for module in (cli, models_door, train, evaluate, export, predict, show, calibrate):
        monkeypatch.setattr(module, "main_guard", parsed)


def door(words: list[str]) -> int:
    """Parse ``python …`` as that file or module would."""
    name, *rest = words
    if name == "-m":
        name, *rest = rest
        if name == "sensor2sensor":
            return package_door.main(rest)
        if name == "models":
            models_door.arguments().parse_args(rest)
            return 0
        if name == "tests.fakes":
            generate._arguments(rest)
            return 0
        assert name.startswith("benchmarks") or name in ("venv", "pip", "dask"), name
        return 0 if "benchmarks" not in name else benchmark(name, rest)
    if name == "examples/getting_data.py":
        getting_data.arguments().parse_args(rest)
        return 0
    checkouts = {"train.py": train, "evaluate.py": evaluate, "export.py": export}
    checkouts["predict.py"] = predict
    if name in checkouts:
        checkouts[name].arguments().parse_args(rest)
        return 0
    (step,) = [step for step, file in DOORS.items() if name == f"preprocessing/{file}"]
    return commands.COMMANDS[step].load()(rest)


def benchmark(name: str, words: list[str]) -> int:
    """A benchmark's module exists, and so do the options that are named."""
    path = ROOT.joinpath(*name.split("."))
    source = (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    assert all(f'"{word}"' in source for word in words if word.startswith("--")), words
    return 0


def made(words: list[str]) -> int:
    """``make TARGET``: the Makefile has it."""
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    assert [word for word in words if "=" not in word and word not in targets] == []
    return 0


def pip(words: list[str]) -> int:
    """``pip install``: its files exist and so do the extras."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    extras = set(setup["dynamic"]["optional-dependencies"])
    for word in words:
        if word.endswith(".txt"):
            assert (ROOT / word).is_file(), word
        for named in re.findall(r"\[([\w,]+)\]", word):
            assert set(named.split(",")) <= extras, word
    return 0


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{p.stem}: {c}" for p, c in COMMANDS])
@pytest.mark.usefixtures("parse_only")
def test_a_command_of_a_page_is_one(page: Path, line: str) -> None:
    opener, *words = shlex.split(line, comments=True)
    words = [word for word in words if word != "..."]
    reads = {
        "s2s": lambda: commands.main(words, "s2s", commands.COMMANDS),
        "make": lambda: made(words),
        "pip": lambda: pip(words),
        "mkdocs": lambda: 0 if words[0] == "build" else 1,
    }
    try:
        code = reads.get(opener, lambda: door(words))()
    except SystemExit as ended:  # --help
        code = ended.code
    assert code in (0, None), f"{page.name}: {line}"


def test_commands_are_found() -> None:
    found = {line for _, line in COMMANDS}
    assert len(found) > 25
    assert any(line.startswith("s2s inventory --tile") for line in found)
    assert any(line.startswith("python train.py --exp edsr/alt6 --set ") for line in found)


JSON = [
    (page, text) for page in CURRENT for kind, text, _ in blocks(page) if kind in ("json", "jsonc")
]


@pytest.mark.parametrize(("page", "text"), JSON, ids=[page.stem for page, _ in JSON])
def test_a_snippet_of_json_is_a_valid_experiment(page: Path, text: str, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "experiment.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    least = {"model_name": "edsr", "dataset": "D"}
    named = re.search(rf'"{EXTENDS}": "([^"]+)"', text)
    below = path.parent / named[1] if named else path.with_name("least.json")
    below.parent.mkdir(parents=True, exist_ok=True)
    below.write_text(json.dumps(least))
    if named is None:
        path.write_text(text.replace("{", f'{{"{OWN[0]}": "least.json",', 1), encoding="utf-8")
    assert load_experiment_file(path)[0].dataset


PYTHON = [
    (page, text, marker)
    for page in CURRENT
    for kind, text, marker in blocks(page)
    if kind == "python"
]


@pytest.mark.parametrize(("page", "text", "marker"), PYTHON, ids=[page.stem for page, *_ in PYTHON])
def test_a_snippet_of_python_comes_from_a_test(page: Path, text: str, marker: str) -> None:
    """The comment before it: ``from tests/…``, which holds these lines, or ``run by tests/…``."""
    if marker.startswith("run by tests/"):
        assert f'"{page.name}"' in (ROOT / marker.removeprefix("run by ")).read_text()
        return
    assert marker.startswith("from tests/"), f"{page.name}: say which test the snippet is from"
    source = ast.parse((ROOT / marker.removeprefix("from ")).read_text(encoding="utf-8"))
    kinds = ast.stmt | ast.expr
    tested = {ast.unparse(node) for node in ast.walk(source) if isinstance(node, kinds)}
    for statement in ast.parse(text).body:
        assert ast.unparse(statement) in tested, f"{page.name}: {ast.unparse(statement)}"
