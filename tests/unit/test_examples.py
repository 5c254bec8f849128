"""How demo and real run put a gain into words: with its limits, or without a verdict."""

from __future__ import annotations

import math
import shlex
import sys
from glob import glob

import pytest

from benchmarks.gain import print_gains
from benchmarks.seeds import real
from sensor2sensor.evaluation.summary import gain, plain


def made(values: list[float], scenes: int, blocks: int = 8) -> dict:
    count = len(values)
    return plain(
        gain(
            values, [1.0] * count, better="higher", seed=0, key="x",
            blocks=[f"b{i % blocks}" for i in range(count)],
            scenes=[f"s{i % scenes}" for i in range(count)],
        )
    )  # fmt: skip


BETTER = [2.0 + 0.1 * (i // 8 % 2) for i in range(40)]


@pytest.mark.parametrize(
    ("item", "words", "cell"),
    [
        (made(BETTER, 1), "better for this scene only", ", for this scene only"),
        (made(BETTER, 3), "better for these 3 scenes only", ", for these 3 scenes only"),
        (made(BETTER, 1, 3), "(no verdict below 4 blocks (3 here))", "(3 here)"),
        (made([math.nan] * 20 + BETTER[:20], 1), "(no verdict: finite on 20 of 40 tiles)", "tiles"),
        (made([math.nan] * 40, 1), "no value  (no verdict: finite on 0 of 40 tiles)", "tiles"),
    ],
)
def test_a_gain_in_words_says_what_it_is_limited_to(item, words, cell, capsys) -> None:
    gains = dict.fromkeys(("hpsi", "scc", "ssim", "psnr"), item)
    print_gains("demo", {"tiles": 40, "gain": {"bicubic": gains}})
    assert all(line.endswith(words) for line in capsys.readouterr().out.strip().split("\n")[1:])
    assert real.gain_cell(item).endswith(cell)


def test_a_gain_over_many_scenes_has_no_limits(capsys) -> None:
    item = made(BETTER, 5)
    print_gains(
        "demo",
        {"tiles": 40, "gain": {"bicubic": dict.fromkeys(("hpsi", "scc", "ssim", "psnr"), item)}},
    )
    assert capsys.readouterr().out.rstrip().endswith("): better")
    assert real.gain_cell(item).endswith(")")


def test_a_stopped_job_ends_with_the_whole_command(capsys) -> None:
    command = ["-c", "raise SystemExit(3)", "--selection", "a b", "--tilesize", "64"]
    with pytest.raises(SystemExit) as caught:
        sys.modules["main_job"].run(command)
    assert caught.value.code == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"stopped: exit code 3 of {shlex.join(['python', *command])}"


def test_the_notebook_is_found_in_a_checkout_with_brackets_in_its_path(
    tmp_path, monkeypatch
) -> None:
    """nbconvert looks for what it is given as for a pattern."""
    main_job, commands = sys.modules["main_job"], []
    checkout = tmp_path / "clone [1]"
    checkout.mkdir()
    (checkout / "summary_eval.ipynb").touch()
    monkeypatch.setattr(main_job, "ROOT", checkout)
    monkeypatch.setattr(main_job, "run", lambda command, variables: commands.append(command))
    monkeypatch.chdir(checkout)
    main_job.Job(tmp_path / "work", stages=1).notebook()
    assert [(checkout / found).name for found in glob(commands[0][-1])] == ["summary_eval.ipynb"]
