"""``--max-minutes``: another step only where the save that ends the run would still be in time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from sensor2sensor.core.decoration import decoration
from sensor2sensor.training.interrupts import StopSignal
from sensor2sensor.training.time_limit import (
    EXIT_TIME_UP,
    LOOK,
    SAVE,
    SignalledError,
    TimeLimit,
    TimeUpError,
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def passes(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def steps_until_end(limit, clock, *, step_s, every=None, save_s=0.0, say=None):
    """Steps that a training makes of ``step_s`` each, with a save after ``every`` of them."""
    stop = StopSignal(say or (lambda line: None), limit)
    save, step, due = limit.timed(SAVE, clock.passes), 0, []
    while not stop.asked(due):
        if due:
            save(save_s)
        clock.passes(step_s)
        step += 1
        due = [SAVE] if every and step % every == 0 else []
    return step, stop


def test_without_a_limit_time_ends_nothing(clock):
    limit = TimeLimit(None, clock=clock)
    clock.passes(1e9)
    assert not limit.near([SAVE, LOOK])


def test_the_last_save_is_in_time_and_little_is_given_away(clock):
    begun, said = clock.now, []
    limit = TimeLimit(60, clock=clock)
    step, stop = steps_until_end(limit, clock, step_s=2, every=50, save_s=40, say=said.append)
    used = clock.now + 40 - begun  # with the save that ends it
    assert 3600 - 1.2 * (2 + 2 * 40) - 10 <= used <= 3600 - 10
    assert stop.exit_code == EXIT_TIME_UP == 124 and stop.reason == "--max-minutes 60"
    assert said == ["--max-minutes 60: ending here, while there is time to save"]
    assert stop.asked() and step > 1000  # it does not change its mind


def test_a_look_that_would_not_fit_is_not_begun(clock):
    limit = TimeLimit(10, clock=clock)
    limit.near()
    limit.timed(LOOK, clock.passes)(200)
    limit.timed(SAVE, clock.passes)(1)
    clock.passes(50)
    assert not limit.near([LOOK])
    clock.passes(100)
    assert not limit.near()  # for a step there is time
    assert limit.near([LOOK])


def test_what_is_not_known_yet_is_guessed_by_a_share_of_a_short_limit(clock):
    limit = TimeLimit(0.5, clock=clock)
    assert not limit.near()
    clock.passes(5)
    assert not limit.near()
    clock.passes(10)  # another step of as long, and the save, would end too late
    assert limit.near()


def test_a_first_step_that_traces_does_not_count_for_ever(clock):
    limit = TimeLimit(60, clock=clock)
    limit.near()
    clock.passes(1500)
    limit.near()
    for _ in range(1000):
        clock.passes(1)
        assert not limit.near()  # another one of 1500 s would not fit by now


def test_a_signal_is_told_rather_than_the_time(clock):
    said = []
    limit = TimeLimit(1, clock=clock)
    with StopSignal(said.append, limit) as stop:
        assert not stop.asked()
        signal.raise_signal(signal.SIGTERM)
        clock.passes(100)
        assert stop.asked() and stop.exit_code == 143 and stop.reason == "SIGTERM"
    assert len(said) == 1


def test_what_can_be_done_again_is_broken_off_when_the_time_is_up():
    before = signal.getsignal(signal.SIGALRM)
    limit = TimeLimit(0.002)
    said = r"--max-minutes 0\.002 are over; later"
    with pytest.raises(TimeUpError, match=said) as error, limit.interrupting("later"):
        time.sleep(60)
    assert error.value.exit_code == EXIT_TIME_UP
    assert signal.getsignal(signal.SIGALRM) is before
    with pytest.raises(TimeUpError), limit.interrupting("later"):  # it is over by now
        time.sleep(60)
    with TimeLimit(None).interrupting("later"):
        pass


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_breaks_it_off_too_and_says_what_to_do_later(number: int, code: int):
    before = signal.getsignal(number)
    for limit in (TimeLimit(None), TimeLimit(60)):
        with (
            pytest.raises(SignalledError, match=r"ended by SIG\w+; later") as error,
            limit.interrupting("later"),
        ):
            signal.raise_signal(number)
        assert error.value.exit_code == code
    assert signal.getsignal(number) is before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with TimeLimit(None).interrupting("later"):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def _within_a_layer() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except Exception as error:
        raise RuntimeError("Exception encountered when calling Conv2D.call()") from error


def _within_a_picture() -> None:
    with decoration("the gallery", print):
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("where", [_within_a_layer, _within_a_picture])
def test_nothing_takes_what_breaks_it_off_for_its_own_error(where: Callable[[], None]):
    limit, said = TimeLimit(None), "ended by SIGTERM; later"
    with pytest.raises(SignalledError, match=said), limit.interrupting("later"):
        where()
