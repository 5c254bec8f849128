"""``--max-minutes``: a training that ends by itself before a batch queue ends it."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from sensor2sensor.core.errors import Sensor2SensorError

# As `timeout` reports a command whose time is up: for a queue both mean "go on with --resume".
EXIT_TIME_UP = 124
# SIGHUP: the terminal is closed, or the connection to it.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
SAVE, LOOK = "save", "look"
# Left for what nothing measures: the last lines of all files, and the end of TensorFlow.
SPARE_S, SPARE_SHARE = 10.0, 0.05
# What a save or a look is taken to last before there was one.
UNKNOWN_S, UNKNOWN_SHARE = 30.0, 0.1
MARGIN = 1.2
REMEMBERED = 20  # the longest of so many: the first step traces, which does not come again


class TimeUpError(Sensor2SensorError):
    """``--max-minutes`` are over in the middle of something that can be done again."""

    exit_code = EXIT_TIME_UP


class SignalledError(Sensor2SensorError):
    """A signal came in the middle of something that can be done again.

    Args:
        number: Of the signal.
        hint: What to do later.
    """

    def __init__(self, number: int, hint: str) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}", hint=hint)
        self.exit_code = 128 + number  # as a shell reports it


class _BrokenOff(BaseException):
    """Carries an error past whatever takes an ordinary one for its own.

    Keras makes a RuntimeError of what is raised within a layer, and what only adorns the results
    (:mod:`sensor2sensor.core.decoration`) goes on after any.
    """

    def __init__(self, error: Sensor2SensorError) -> None:
        super().__init__(str(error))
        self.error = error


class TimeLimit:
    """When a training has to end, and whether another step would still leave time for its save.

    Args:
        minutes: From now on; None: there is no limit.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self, minutes: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.minutes, self._clock = minutes, clock
        total = 0.0 if minutes is None else 60.0 * minutes
        self._spare = min(SPARE_S, SPARE_SHARE * total)
        self._unknown = min(UNKNOWN_S, UNKNOWN_SHARE * total)
        self._ends = clock() + total
        self._asked: float | None = None
        self._apart = 0.0
        self._steps: deque[float] = deque(maxlen=REMEMBERED)
        self._lasted: dict[str, deque[float]] = {}

    def __str__(self) -> str:
        return f"--max-minutes {self.minutes:g}" if self.minutes is not None else "no limit"

    def timed(self, what: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """``act``, whose time is known afterwards as that of a ``what``."""

        def measured(*given: Any) -> Any:
            begun = self._clock()
            made = act(*given)
            lasted = self._clock() - begun
            self._apart += lasted
            self._lasted.setdefault(what, deque(maxlen=REMEMBERED)).append(lasted)
            return made

        return measured

    def near(self, coming: Iterable[str] = ()) -> bool:
        """Whether the training ends here; asked before the first step and after each.

        Args:
            coming: What is due before the next step: saves and looks. After that step comes the
                save that ends a training.
        """
        now = self._clock()
        if self._asked is not None:
            self._steps.append(now - self._asked - self._apart)
        self._asked, self._apart = now, 0.0
        if self.minutes is None:
            return False
        needed = max(self._steps, default=0.0) + sum(map(self._estimate, (*coming, SAVE)))
        return now + MARGIN * needed + self._spare >= self._ends

    def _estimate(self, what: str) -> float:
        return max(self._lasted[what]) if what in self._lasted else self._unknown

    @contextmanager
    def interrupting(self, hint: str) -> Iterator[None]:
        """Break off what the block does at a signal, or when the time is up.

        Nothing is half-written by that.

        Args:
            hint: What to do later.

        Raises:
            TimeUpError: It is.
            SignalledError: SIGTERM, SIGINT or SIGHUP came.
        """
        # Python delivers signals to the main thread only.
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def up(number: int, frame: object) -> NoReturn:
            raise _BrokenOff(TimeUpError(f"{self} are over", hint=hint))

        def told(number: int, frame: object) -> NoReturn:
            raise _BrokenOff(SignalledError(number, hint))

        handlers: dict[signal.Signals, Callable[[int, object], NoReturn]] = {
            number: told for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN
        }
        if self.minutes is not None:
            handlers[signal.SIGALRM] = up
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            if self.minutes is not None:
                # A timer of 0 would be none.
                left = max(self._ends - self._spare - self._clock(), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, left)
            yield
        except _BrokenOff as broken:
            raise broken.error from None
        finally:
            if self.minutes is not None:
                signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)
