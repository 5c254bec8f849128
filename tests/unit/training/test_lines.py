"""The lines a run prints: disk, progress, looks."""

from __future__ import annotations

import pytest

from sensor2sensor.training.lines import disk_line, end_line, look_line, report_line
from sensor2sensor.training.loop import Plan
from sensor2sensor.training.pace import Pace

MIB, GIB = 2**20, 2**30


def test_a_report_has_step_losses_speed_and_time_left():
    losses = {"gen_l1": 0.0421, "total_disc_loss": 0.5, "total_gen_loss": 4.21}
    facts = {**Pace(4.0, 0.123).facts(8), "memory_mib": 1536.0}
    line = report_line(200, 1000, losses, facts)
    assert line.split("  ") == [
        "step 200/1000", "total_gen_loss 4.21", "total_disc_loss 0.5", "gen_l1 0.0421",
        "32.0 img/s", "250 ms/step", "12% wait", "1.5 GiB", "3:20 left",
    ]  # fmt: skip


def test_before_there_is_a_speed_none_is_claimed():
    assert report_line(1, 9, {"gen": 1.0}, {}) == "step 1/9  gen 1"


def test_a_look_names_its_metrics():
    assert look_line(300, {"hpsi": 0.75}) == "step 300, validation  hpsi 0.75"


def test_the_need_for_disk_is_said_before_it_is_there():
    line = disk_line(700 * MIB, saves=40, free_bytes=100 * GIB)
    assert line == "checkpoints: 40 of 700.0 MiB, 27.3 GiB in all, 100.0 GiB free"
    assert "NOT ENOUGH" in disk_line(700 * MIB, saves=40, free_bytes=20 * GIB)


@pytest.mark.parametrize("start", [0, 3, 4, 9, 10])
@pytest.mark.parametrize("steps", [10, 12])
def test_the_checkpoints_to_come_are_counted_as_they_will_be_written(start, steps):
    plan = Plan(start, steps, ckpt_freq=4, sample_freq=100)
    assert plan.saves == sum(plan.save_due(step) for step in range(start + 1, steps + 1))


def test_a_run_that_is_stopped_says_what_is_left_to_do():
    said = end_line(40, 100, early=None, stopped="SIGTERM")
    assert said == "stopped after step 40 of 100, all is saved; --resume goes on from there"
    said = end_line(100, 100, early=None, stopped="SIGTERM")
    assert said == "stopped after the last of 100 steps, all is saved; evaluate.py scores it"
    assert end_line(100, 100, early=None, stopped=None) is None
    assert end_line(0, 100, early=None, stopped="SIGTERM") is None
