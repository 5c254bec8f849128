"""Atomic files: whole or not at all, under errors and under a simulated kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sensor2sensor.core import files
from sensor2sensor.core.errors import InputError


def test_write_makes_parents_and_leaves_no_leftover(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b.txt"
    files.write_text(target, "x\n")
    assert target.read_bytes() == b"x\n"
    assert [p.name for p in target.parent.iterdir()] == ["b.txt"]


def test_a_power_cut_finds_the_old_file_or_all_of_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "b.txt", []

    def sync(descriptor: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((place == tmp_path, target.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    files.write_text(target, "x")
    assert synced == [(False, False), (True, True)]  # the data before the name, then its folder


def test_an_error_keeps_the_old_file_and_removes_the_temporary(tmp_path: Path) -> None:
    target = tmp_path / "b.txt"
    files.write_text(target, "old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as part:
        part.write_text("half")
        raise RuntimeError("disk")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_crash_at_nth_write(tmp_path: Path, n: int) -> None:
    with pytest.raises(files.SimulatedCrash), files.crash_at_write(n):
        for index in range(1, 4):
            files.write_text(tmp_path / f"{index}.txt", "0123456789")
    assert sorted(p.name for p in tmp_path.glob("*.txt")) == [f"{i}.txt" for i in range(1, n)]
    leftover = [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert len(leftover) == 1
    assert leftover[0].read_text() == "01234"
    assert files.sweep(tmp_path) == 1
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_crash_by_environment_variable_kills_the_process(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from sensor2sensor.core import files\n"
        f"for i in range(3): files.write_text(Path({str(tmp_path)!r}) / str(i), 'x')"
    )
    env = {**os.environ, files.CRASH_VARIABLE: "2"}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=False)
    assert done.returncode == 137
    assert (tmp_path / "0").exists()
    assert not (tmp_path / "1").exists()


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


def test_read_json_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": 1,\n oops}')
    with pytest.raises(InputError, match=r"x\.json:2: not valid JSON"):
        files.read_json(path)
    with pytest.raises(InputError, match="no such file"):
        files.read_json(tmp_path / "absent.json")


def test_write_csv_quotes_and_empties(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    files.write_csv(path, ["a", "b"], [["x,y", None], ['q"', 1.5]])
    assert path.read_bytes() == b'a,b\n"x,y",\n"q""",1.5\n'


def test_lock_refuses_a_second_holder_and_takes_over_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with files.lock(path):
        with pytest.raises(InputError, match=f"in use by process {os.getpid()}"), files.lock(path):
            pass
        assert path.exists()
    assert not path.exists()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(f"{dead.pid} {os.uname().nodename}")
    with files.lock(path):
        assert path.read_text().split()[0] == str(os.getpid())


def test_json_text_round_trips() -> None:
    value = {"b": [1, 2.5, None], "a": "µ"}
    assert json.loads(files.json_text(value)) == value
    assert list(json.loads(files.json_text(value))) == ["b", "a"]


FULL = """
import resource, sys
from pathlib import Path
from sensor2sensor.core import cli, files

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
action = {
    "atomic": lambda args: files.write_bytes(Path(args.environment), bytes(2000)),
    "unknown": lambda args: open(args.environment, "wb", buffering=0).write(bytes(1000))
    and open(args.environment, "ab", buffering=0).write(bytes(2000)),
}
sys.exit(cli.main_guard(action[sys.argv.pop()], cli.parser("x", prog="x")))
"""


@pytest.mark.parametrize(("way", "said"), [("atomic", ": {}"), ("unknown", "")])
def test_what_found_no_room_is_named_where_it_is_known(
    tmp_path: Path, repository: Path, way: str, said: str
) -> None:
    target = tmp_path / "target"
    done = subprocess.run(
        [sys.executable, "-c", FULL, "--environment", str(target), way],
        cwd=repository, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"x: File too large{said.format(target)}\n"


def test_a_system_without_posix_reads_and_says_in_one_line_why_it_does_not_write(tmp_path):
    """A Windows Python has no module fcntl; here one is told that there is none."""
    (tmp_path / "there.json").write_text("[1]")
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "from sensor2sensor.core import cli, files\n"
        "assert files.read_json('there.json') == [1]\n"
        "door = cli.parser('', prog='door')\n"
        "sys.exit(cli.main_guard(lambda args: files.write_json('new.json', 1), door, []))\n"
    )
    path = {**os.environ, "PYTHONPATH": str(Path(files.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=path, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr == (
        "door: new.json: cannot be written safely: this is no POSIX system;"
        " run this on Linux or macOS; on Windows in WSL\n"
    )
