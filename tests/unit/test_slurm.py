"""The template for a cluster's queue: its commands parse, and a task whose time is up goes back."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sensor2sensor.training.arguments import arguments

SCRIPT = Path(__file__).resolve().parents[2] / "examples/slurm/train_array.sh"
VARIABLES = {"$experiments": "a/*", "$SLURM_ARRAY_TASK_ID": "3", "$MINUTES": "225", '"$@"': ""}


def commands():
    """The words behind ``train.py`` and behind the script, in its text and its comments."""
    text = SCRIPT.read_text()
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    lines = [line.lstrip("# ") for line in text.splitlines()]
    for line in lines:
        words = shlex.split(line, comments=True) if line.startswith(("python ", "srun ")) else []
        if "train.py" in words:
            yield words[words.index("train.py") + 1 :]
        if line.startswith("sbatch "):
            words = shlex.split(line, comments=True)
            yield ["--exp", *words[words.index("examples/slurm/train_array.sh") + 1 :]]


def test_its_commands_are_those_of_train():
    parsed = [arguments().parse_args(words) for words in commands()]
    assert [args.list for args in parsed] == [True, False, False, False]
    assert [bool(args.sweep) for args in parsed] == [False, False, True, False]
    last = parsed[-1]
    assert (last.exp, last.only, last.max_minutes) == ("a/*", 3, 225)


def test_its_shell_is_sound():
    subprocess.run(["bash", "-n", SCRIPT], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", SCRIPT], check=True)


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (1, False), (124, True), (143, True)])
def test_a_task_whose_time_is_up_goes_back_into_the_queue(tmp_path, code, requeued):
    tools = {"srun": '"$@"', "python": f'printf "%s\\n" "$@" > told; exit {code}'}
    tools["scontrol"] = 'echo "$@" > requeued'
    for name, does in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    variables = {
        "PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": str(tmp_path / "python"),
        "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_JOB_ID": "77",
    }  # fmt: skip
    words = ["bash", SCRIPT, "a b/*", "--set", "steps=4"]
    done = subprocess.run(words, cwd=tmp_path, env=variables, check=False, capture_output=True)
    assert done.returncode == code, done.stderr
    told = (tmp_path / "told").read_text().splitlines()
    assert told == [
        "train.py", "--exp", "a b/*", "--only", "3", "--max-minutes", "225", "--set", "steps=4",
    ]  # fmt: skip
    queue = tmp_path / "requeued"
    assert (queue.read_text() if queue.exists() else "") == ("requeue 77_3\n" if requeued else "")


PARTS = SCRIPT.with_name("step_parts.sh")
STEP = "preprocessing/40_create_tifs.py"


def test_steps_in_parts_are_sound_shell():
    subprocess.run(["bash", "-n", PARTS], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", PARTS], check=True)
    assert f"{PARTS.relative_to(SCRIPT.parents[2])} 8 {STEP} --selection" in PARTS.read_text()


@pytest.mark.parametrize(
    ("task", "code", "words", "requeued"),
    [
        ("3", 0, "--part 3/8", ""),
        ("3", 143, "--part 3/8", "requeue 77_3\n"),
        (None, 1, "--merge 8", ""),
    ],
)
def test_a_task_of_an_array_does_its_part_and_a_job_without_one_joins(
    tmp_path, monkeypatch, task, code, words, requeued
):
    from sensor2sensor.core import cli
    from sensor2sensor.preprocess.tiles import run as tiles

    tools = {"srun": '"$@"', "python": f'printf "%s\\n" "$@" > told; exit {code}'}
    tools["scontrol"] = 'echo "$@" > requeued'
    for name, does in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": str(tmp_path / "python")}
    variables["SLURM_CPUS_PER_TASK"] = "4"
    if task:
        variables |= {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_JOB_ID": "77"}
    line = ["bash", PARTS, "8", STEP, "--selection", "a b"]
    done = subprocess.run(line, cwd=tmp_path, env=variables, check=False, capture_output=True)
    assert done.returncode == code, done.stderr
    told = (tmp_path / "told").read_text().splitlines()
    assert told == [STEP, "--selection", "a b", *words.split(), "--workers", "4"]
    queue = tmp_path / "requeued"
    assert (queue.read_text() if queue.exists() else "") == requeued
    parsed = []
    monkeypatch.setattr(
        cli, "main_guard", lambda run, parser, argv: parsed.append(parser.parse_args(argv))
    )
    tiles.main(told[1:])
    assert (str(parsed[0].part), parsed[0].merge) == (("3/8", None) if task else ("None", 8))
