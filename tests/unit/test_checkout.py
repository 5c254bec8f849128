"""A checkout in which the demo has run is linted, collected and cleaned as a fresh one is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sensor2sensor import doctor

JUNK = "import sys\nimport os\nfrom demo import*\n"
BIN = Path(sys.executable).parent


def put(folder: Path, *names: str, text: str = JUNK) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def call(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)


def test_folders_beside_the_code_do_not_change_what_ruff_says_of_imports(repository, tmp_path):
    shutil.copy(repository / "pyproject.toml", tmp_path)
    for name in ("benchmarks", "examples"):
        shutil.copytree(repository / name, tmp_path / name)
    stems = {path.stem for path in (tmp_path / "examples").glob("*.py")}
    words = (BIN / "ruff", "check", "--no-cache", "--select", "I", "benchmarks", "examples")
    assert call(*words, cwd=tmp_path).returncode == 0
    put(tmp_path, *(f"{stem}/report.py" for stem in sorted(stems | {"runs", "data", "tqdm"})))
    done = call(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def checkout(repository, tmp_path):
    """A clone with one module, beside it what runs left, and a mypy that is content."""
    for name in ("Makefile", "pyproject.toml", ".gitignore"):
        shutil.copy(repository / name, tmp_path)
    put(tmp_path, "sound.py", text='"""A module."""\n')
    put(tmp_path / "bin", "mypy", text="#!/bin/sh\n")
    (tmp_path / "bin" / "mypy").chmod(0o755)
    (tmp_path / "bin" / "ruff").symlink_to(BIN / "ruff")
    put(tmp_path, "runs/demo/report.py", "runs/real/test_it.py")
    return tmp_path


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    return call("make", "lint", "STAMP=", "BIN=bin", cwd=checkout)


@pytest.mark.parametrize("cloned", [True, False])
def test_lint_sees_the_code_and_not_what_stands_beside_it(checkout, cloned):
    if cloned:
        assert call("git", "init", "--quiet", cwd=checkout).returncode == 0
        assert call("git", "add", "sound.py", cwd=checkout).returncode == 0
        put(checkout, "demo/stray.py")
    done = lint(checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    put(checkout, "sound.py")
    done = lint(checkout)
    assert done.returncode != 0 and "sound.py" in done.stdout
    assert "runs/" not in done.stdout and "stray" not in done.stdout


def test_what_runs_leave_is_not_collected_and_clean_removes_it(checkout):
    collected = call(BIN / "python", "-m", "pytest", "--collect-only", "-q", ".", cwd=checkout)
    assert "test_it" not in collected.stdout + collected.stderr
    assert call("make", "clean", cwd=checkout).returncode == 0
    assert not (checkout / "runs").exists() and (checkout / "sound.py").is_file()


def test_every_job_works_below_the_ignored_folder(repository):
    for script in ("examples/demo.py", "examples/real.py", "benchmarks/gain.py"):
        (default,) = re.findall(r'"--work".*default=(.*?)[,)]', (repository / script).read_text())
        assert default.startswith('RUNS / "'), script
    assert "/runs/" in (repository / ".gitignore").read_text().splitlines()


def test_tools_whose_releases_change_the_verdict_are_pinned(repository):
    lines = (repository / "requirements-dev.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert {"ruff", "mypy", "pandas-stubs", "types-tqdm"} <= set(pins)


def listed(repository: Path, *names: str) -> set[str]:
    """The requirements of files, those that they include with ``-r`` as well."""
    found: set[str] = set()
    for name in names:
        for line in (repository / name).read_text().splitlines():
            text = line.partition("#")[0].strip()
            if text.startswith("-r "):
                found |= listed(repository, text.removeprefix("-r "))
            elif text:
                found.add(text)
    return found


@pytest.mark.parametrize(
    ("file", "extra"), [("requirements.txt", "train"), ("requirements-gpu.txt", "gpu")]
)
def test_a_checkout_installs_what_the_library_does_with_its_extra(repository, file, extra):
    setup = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]
    extras = setup["dynamic"]["optional-dependencies"]
    sources = [setup["dynamic"]["dependencies"], extras[extra], extras["notebook"]]
    names = [
        f for s in sources for f in (s["file"] if isinstance(s["file"], list) else [s["file"]])
    ]
    assert listed(repository, file) == listed(repository, *names)
    assert not any("tensorflow" in line for line in listed(repository, names[0]))


def test_every_place_that_names_versions_names_the_same(repository):
    """Hooks before a commit, CI and Makefile against requirements and pyproject.toml."""
    pins = {line.partition("#")[0].strip() for line in (repository / "requirements-dev.txt").open()}
    pins |= listed(repository, "requirements.txt")
    hooks = (repository / ".pre-commit-config.yaml").read_text()
    asked = re.findall(r'(?:- |\[")([\w-]+(?:[=<>]=)[^"\n]+?)(?:"\]|\n)', hooks)
    assert {"ruff", "mypy"} <= {re.split("[=<>]", text)[0] for text in asked}
    assert set(asked) <= pins

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    named = {line.rsplit(" ", 1)[1] for line in project["classifiers"] if "Python :: 3." in line}
    tested = re.search(
        r"python: (\[.*3\.12.*\])", (repository / ".github/workflows/ci.yml").read_text()
    )
    first, last = (f"3.{number}" for number in (doctor.OLDEST[1], doctor.NEWEST[1]))
    assert named == set(json.loads(tested[1])) and {first, last} <= named
    assert project["requires-python"] == f">={first},<3.{doctor.NEWEST[1] + 1}"
    assert f"<= (3, {doctor.NEWEST[1]})" in (repository / "Makefile").read_text()
