"""Rows 35 and 37 of the fault table: signals at any phase, two processes on one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError
from sensor2sensor.training.interrupts import StopSignal
from tests.doors import HANG_S

LONG_STEPS = """
import sys, time
from sensor2sensor.training.interrupts import StopSignal
with StopSignal(lambda text: print(text, flush=True)) as stop:
    stop.asked()
    print("ready", flush=True)
    for step in range(100):
        time.sleep(0.1)
        if stop.asked():
            time.sleep(float(sys.argv[1]))
            print("saved", flush=True)
            break
sys.exit(stop.exit_code)
"""


def start(seconds, repository, *before):
    process = subprocess.Popen(
        [*before, sys.executable, "-c", LONG_STEPS, str(seconds)],
        stdout=subprocess.PIPE, text=True, cwd=repository,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_first_signal_lets_the_step_finish(number, repository):
    process = start(0, repository)
    process.send_signal(number)
    out, _ = process.communicate(timeout=HANG_S)
    assert f"{number.name}: finishing this step and saving" in out
    assert "saved" in out
    assert process.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_stops_at_once(number, repository):
    process = start(60, repository)
    process.send_signal(number)
    assert "finishing" in process.stdout.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=HANG_S)
    assert process.returncode == -number
    assert "saved" not in out


def test_a_closed_terminal_that_tells_twice_does_not_cut_the_save():
    said = []
    with StopSignal(said.append) as stop:
        assert not stop.asked()
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)  # of the shell that ends with it
        assert stop.asked() and (stop.exit_code, stop.reason) == (129, "SIGHUP")
    assert len(said) == 1


def test_nohup_is_heeded(repository):
    process = start(0, repository, "nohup")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=HANG_S)
    assert "SIGHUP" not in out and process.returncode == 143


def test_before_the_first_step_no_save_is_promised():
    said = []
    with StopSignal(said.append) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.asked() and stop.exit_code == 143
    (line,) = said
    assert line.startswith("SIGTERM: stopping before a step is done, there is nothing new to save;")


def test_handlers_are_given_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopSignal(lambda text: None) as stop:
        assert signal.getsignal(signal.SIGTERM) == stop._first
    assert signal.getsignal(signal.SIGTERM) is before
    assert stop.exit_code == 0


def test_a_folder_in_use_is_refused_with_process_and_host(tmp_path):
    with (
        files.lock(tmp_path / ".lock"),
        pytest.raises(InputError, match=rf"process {os.getpid()} on"),
        files.lock(tmp_path / ".lock"),
    ):
        raise AssertionError("two processes held one lock")


def test_a_lock_of_a_dead_process_is_taken_over(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / ".lock").write_text(f"{dead.pid} {os.uname().nodename}")
    with files.lock(tmp_path / ".lock"):
        assert str(os.getpid()) in (tmp_path / ".lock").read_text()
    assert not (tmp_path / ".lock").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict.py"], "predict.py: interrupted\n"),
        (["-m", "sensor2sensor", "predict"], "sensor2sensor: interrupted\n"),
        (
            ["-c", "import experiment"],
            None,
        ),  # of others
    ],
)
def test_an_interrupt_while_python_imports_is_one_line(words, said, repository, tmp_path):
    # What is imported before any door has begun interrupts it.
    # A shell has what it runs in the background ignore SIGINT, and this would inherit it.
    heard = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    sent = f"import signal\n{heard}\nsignal.raise_signal(signal.SIGINT)\n"
    (tmp_path / "pydantic.py").write_text(sent)
    path = os.pathsep.join([str(tmp_path), str(repository)])
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=repository,
        env={**os.environ, "PYTHONPATH": path}, timeout=HANG_S,
    )  # fmt: skip
    assert done.returncode == -signal.SIGINT
    assert done.stderr == said if said else "Traceback" in done.stderr
