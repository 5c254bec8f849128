"""Fixtures shared by every test: where the real sample data lies, and a quiet TensorFlow."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from sensor2sensor.core.memory import resident_bytes
from tests.real_data import REPOSITORY, SAMPLES, samples

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("MPLBACKEND", "Agg")
# What is written reaches a disk before a power cut, which no test brings about; that files are
# synced before they are renamed is seen in tests/unit/core/test_files.py.
os.fsync = lambda descriptor: None


# Whose tests train, construct whole networks or start doors: measured in processor time, the tests
# of tests/unit that are not marked slow fit into three minutes of two cores, and these do not.
SLOW_FOLDERS = frozenset({"faults", "models", "notebook", "scripts"})
# Begun first, the longest first: a worker that takes one of them last is waited for by the others.
LONGEST_FILES = (
    "models/test_family.py",
    "models/test_counts.py",
    "scripts/test_train.py",
    "scripts/test_real_pictures.py",
    "scripts/test_evaluate.py",
    "scripts/test_demo.py",
    "faults/test_epochs_resume.py",
    "faults/test_inference_statistics.py",
    "faults/test_checkpoints_resume.py",
    "faults/test_killed_anywhere.py",
    "models/test_original_modules.py",
    "models/test_examples.py",
    "faults/test_pretrained.py",
)

# What the process held when garbage was last looked for, and by how much it grows until the next.
HELD = pytest.StashKey[int]()
GROWN_BYTES = 256 * 2**20


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist hand out files in the order below, not by their number of tests.

    Garbage is looked for seldom from here on: a quarter of the time in which every worker reads the
    test modules went into looking for some among their syntax trees.
    """
    gc.set_threshold(50_000, 10, 10)
    if hasattr(config.option, "loadscopereorder"):  # absent without pytest-xdist
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)  # before -m looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of the slow folders, for ``make test-fast``; the longest files first."""
    tests = REPOSITORY / "tests"
    turns = {tests / name: turn for turn, name in enumerate(LONGEST_FILES)}
    assert all(path.is_file() for path in turns), "LONGEST_FILES names a file that is not there"
    items.sort(key=lambda item: turns.get(item.path, len(turns)))
    slow = {path: _is_slow(path, tests) for path in {item.path for item in items}}
    for item in items:
        if slow[item.path]:
            item.add_marker(pytest.mark.slow)


def _is_slow(path: Path, tests: Path) -> bool:
    return path.is_relative_to(tests) and path.relative_to(tests).parts[0] in SLOW_FOLDERS


def pytest_collection_finish() -> None:
    """Never look for garbage among what was imported: TensorFlow is large."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Free what a test left in cycles, where the process has grown: TensorFlow gives nothing back.

    Whatever its tensors once took it keeps for others. A network of 55 million weights is few
    objects, which may wait long to be found by the way; a worker was seen to hold 11 GB.
    """
    done = yield
    held = resident_bytes() or 0
    if held > item.config.stash.get(HELD, 0) + GROWN_BYTES:
        gc.collect()
        item.config.stash[HELD] = resident_bytes() or 0
    return done


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """A door called with --debug in this process must not make those of later tests talkative."""
    yield
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sample data; the test is skipped with the reason where it is absent."""
    folder = samples()
    if not folder.is_dir():
        pytest.skip(f"no real sample data at {folder} (set {SAMPLES})")
    return folder
