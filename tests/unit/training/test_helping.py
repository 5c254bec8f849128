"""The chief and its helpers stay in step, whoever fails; threads stand for processes."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from sensor2sensor.core.errors import TrainingError
from sensor2sensor.training import helping
from sensor2sensor.training.helping import Team, help_out
from sensor2sensor.training.strategy import Devices
from tests.doors import HANG_S

WORKERS = 3
EXPERIMENT = SimpleNamespace(name="a/b", normaliser=SimpleNamespace(state=lambda: {"kind": "x"}))
EXPERIMENT.normalised_by = lambda normaliser: EXPERIMENT
MODEL = SimpleNamespace(generator=None, discriminator=None)


class Exchange:
    """Sums what all threads bring to it, in place of functions of TensorFlow."""

    def __init__(self):
        self.barrier, self.brought = threading.Barrier(WORKERS, timeout=HANG_S), {}

    def of(self, worker):
        """What one of them holds; it has a function for everything."""

        def summed(words):
            self.brought[worker] = np.array(words)
            self.barrier.wait()
            assert len({words.shape for words in self.brought.values()}) == 1, "out of step"
            total = sum(self.brought.values())
            self.barrier.wait()
            return total

        class Functions(dict):
            def __missing__(self, key):
                return summed

            def __contains__(self, key):
                return True

        strategy = SimpleNamespace(num_replicas_in_sync=WORKERS)
        return Devices("multi_worker", strategy, WORKERS, worker, _functions=Functions())


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No network, whose weights and predictions are another matter."""
    monkeypatch.setattr(helping, "_share_weights", lambda devices, model: devices.any_of(False))
    monkeypatch.setattr(helping, "applied_predictor", lambda *given, **options: None)
    monkeypatch.setattr(helping.Normalisation, "from_state", lambda state: state)


def together(chief, score):
    """What the chief and the helpers give back, or how they failed."""
    exchange = Exchange()
    devices = [exchange.of(worker) for worker in range(WORKERS)]

    def lead():
        with devices[0].parting():
            return chief(Team(devices[0], EXPERIMENT, MODEL))

    with ThreadPoolExecutor(WORKERS) as pool:
        led = pool.submit(lead)
        others = [pool.submit(help_out, own, EXPERIMENT, MODEL, score) for own in devices[1:]]
        return [one.exception(HANG_S) or one.result() for one in (led, *others)]


def asked(*tasks):
    def chief(team):
        found = []
        for task in tasks:
            team.ask(task)
            found.append(team.answers(b"own"))
        return found

    return chief


def score(task, predictor, number, count):
    return json.dumps([task["say"] * number, count]).encode()


def test_each_scores_what_is_asked_until_the_chief_parts():
    found = together(asked({"say": "ab"}, {"say": "longer " * 99}), score)
    assert found[1:] == [None, None]
    words = [[answer if n == 0 else json.loads(answer) for n, answer in enumerate(one)]
             for one in found[0]]  # fmt: skip
    assert words[0] == [b"own", ["ab", 3], ["abab", 3]]
    assert words[1][2] == ["longer " * 198, 3]
    assert together(asked(), score) == [[], None, None]


def test_a_helper_that_fails_is_named_and_the_others_part_in_peace():
    def fails(task, predictor, number, count):
        if number == 2:
            raise ValueError("no disk")
        return score(task, predictor, number, count)

    led, first, second = together(asked({"say": "ab"}), fails)
    assert isinstance(led, TrainingError) and isinstance(second, ValueError) and first is None
    assert str(led) == "a/b: worker 2 of 3 has not scored its tiles; ValueError: no disk"


def test_a_chief_that_fails_over_its_own_share_leaves_nobody_waiting():
    def chief(team):
        team.ask({"say": "ab"})
        raise ValueError("of its own")

    led, *others = together(chief, score)
    assert str(led) == "of its own" and others == [None, None]


def test_a_chief_that_is_stopped_within_an_exchange_begins_no_other():
    begun = []

    def summed(words):
        begun.append(words)
        raise KeyboardInterrupt

    strategy = SimpleNamespace(num_replicas_in_sync=2)
    key = 1, (2, 1)
    devices = Devices("multi_worker", strategy, 2, 0, _functions={key: summed})
    with pytest.raises(KeyboardInterrupt), devices.parting():
        devices.gathered(b"task")
    assert len(begun) == 1
