"""Known notices of TensorFlow's libraries are left out, and nothing else, whatever happens."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from sensor2sensor.core.notices import LEVEL, NoticeFilter, uncollected

HEADER = b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
ONEDNN = (
    b"I0000 00:00:1795710281.649137    7958 port.cc:153] oneDNN custom operations are on. You may"
    b" see slightly different numerical results due to floating-point round-off errors.\n"
)
CUDA = (
    b"E0000 00:00:1795710281.1 12 cuda_dnn.cc:8579] Unable to register cuDNN factory: Attempting to"
    b" register factory for plugin cuDNN when one has already been registered\n"
)
OWN = (
    b"Traceback (most recent call last):\n",
    b"train.py: experiment.json:1 stpes: unknown key\n",
    b"WARNING: All tiles of this split show one block\n",
    b"WARNING sensor2sensor.training: a loss is not finite\n",
    b"E0000 00:00:1795710281.1     12 cuda_platform.cc:52] failed call to cuInit: UNKNOWN ERROR\n",
    b"F0000 00:00:1795710281.1     12 port.cc:9] oneDNN custom operations are on\n",
    b"a line that quotes " + ONEDNN,
    b"\n",
)


def through(*pieces):
    notices = NoticeFilter()
    return b"".join(notices.feed(piece) for piece in pieces) + notices.end()


@pytest.mark.parametrize("notice", [HEADER, ONEDNN, CUDA])
@pytest.mark.parametrize("own", OWN)
def test_notices_are_dropped_and_other_lines_kept_wherever_the_stream_is_cut(notice, own):
    stream = notice + own + notice + own
    for cut in range(len(stream)):
        assert through(stream[:cut], stream[cut:]) == own + own, cut
    assert through(*(stream[i : i + 1] for i in range(len(stream)))) == own + own


def test_an_unfinished_notice_is_dropped_at_the_end_and_an_unfinished_line_kept():
    assert through(ONEDNN.rstrip()) == b""
    assert through(b"E00") == b"E00"
    assert through(b"Segmentation fault") == b"Segmentation fault"


def test_progress_passes_before_its_line_ends():
    notices = NoticeFilter()
    for piece in (b"\rtiles:  10%|#   | 1/9", b"\rtiles:  20%|##  | 2/9", b"Insert", b" 3"):
        assert notices.feed(piece) == piece
    assert notices.feed(b"\n" + ONEDNN + b"next") == b"\nnext"


def python(code, **options):
    environment = {key: value for key, value in os.environ.items() if key != LEVEL}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, check=False, env=environment, **options,
    )  # fmt: skip


WRITE = f"""
import os, signal, sys
from sensor2sensor.core.notices import filtered
with filtered():
    os.write(2, {HEADER + ONEDNN!r} + b"before\\n" + {ONEDNN!r} + b"and half a line")
    {{ending}}
"""


@pytest.mark.parametrize(
    ("ending", "code"), [("os.kill(os.getpid(), signal.SIGKILL)", -9), ("os.abort()", -6)]
)
def test_nothing_is_lost_when_the_process_dies(repository, ending, code):
    done = python(WRITE.format(ending=ending), cwd=repository)
    assert (done.returncode, done.stderr) == (code, b"before\nand half a line")


def test_an_error_inside_arrives_whole_and_after_what_was_written(repository):
    done = python(WRITE.format(ending="raise ValueError('own words')"), cwd=repository)
    before, traceback = done.stderr.split(b"and half a line")
    assert before == b"before\n"
    assert traceback.startswith(b"Traceback") and traceback.endswith(b"ValueError: own words\n")


def test_standard_error_is_given_back_and_children_are_filtered_too(repository):
    done = python(
        "import os, subprocess, sys\n"
        "from sensor2sensor.core.notices import filtered\n"
        "before = os.fstat(2)\n"
        "with filtered():\n"
        f"    for line in ({ONEDNN!r}, b'child'):\n"
        "        subprocess.run([sys.executable, '-c', f'import os; os.write(2, {line!r})'])\n"
        "assert os.path.samestat(before, os.fstat(2))\n"
        "print(' parent', file=sys.stderr)",
        cwd=repository,
    )
    assert (done.returncode, done.stderr) == (0, b"child parent\n")


def test_a_closed_standard_error_is_no_hindrance(repository):
    code = (
        "import os; os.close(2)\n"
        "from sensor2sensor.core.notices import filtered\n"
        "with filtered(): print('done')"
    )
    done = python(code, cwd=repository)
    assert (done.returncode, done.stdout) == (0, b"done\n")


@pytest.mark.parametrize("looking", [True, False])
def test_what_is_loaded_is_no_garbage_and_what_comes_later_is_looked_through_as_before(looking):
    frozen = gc.get_freeze_count()
    (gc.enable if looking else gc.disable)()
    try:
        with pytest.raises(ImportError), uncollected():
            assert not gc.isenabled()
            loaded = [[] for _ in range(5000)]
            raise ImportError
        assert gc.isenabled() == looking
        assert gc.get_freeze_count() >= frozen + len(loaded)
    finally:
        gc.enable()


DOOR = """
import sys
from sensor2sensor.core import cli
from sensor2sensor.core.notices import load_tensorflow

def run(args):
    print(load_tensorflow().__name__)
    return 0

sys.exit(cli.main_guard(run, cli.parser("", prog="door"), {words}))
"""


@pytest.mark.slow
def test_a_door_loads_tensorflow_without_a_word_and_debug_shows_them_all(repository):
    quiet = python(DOOR.format(words=[]), cwd=repository)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, b"tensorflow\n", b"")
    loud = python(DOOR.format(words=["--debug"]), cwd=repository)
    assert loud.returncode == 0 and HEADER in loud.stderr
