"""What ends a training early: SIGTERM, SIGINT, SIGHUP or its time; a second signal kills."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable
from types import FrameType, TracebackType

from sensor2sensor.training.time_limit import EXIT_TIME_UP, SIGNALS, TimeLimit


class StopSignal:
    """Remembers the first signal while its block runs, and that the time is up.

    Args:
        say: Where the one line for the user goes.
        limit: When the training has to end by itself.

    Attributes:
        received: The signal, or None.
        limit: As given.
    """

    def __init__(self, say: Callable[[str], None], limit: TimeLimit | None = None) -> None:
        self.received: signal.Signals | None = None
        self.limit = TimeLimit(None) if limit is None else limit
        self._say, self._begun, self._time_up = say, False, False
        self._before: dict[signal.Signals, object] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal asks the loop to stop."""
        return self.received is not None

    def asked(self, coming: Iterable[str] = ()) -> bool:
        """Whether the loop ends here; asked before its first step, and after each.

        From the first question on a signal is followed by the end of a step and a save.

        Args:
            coming: What is due before the next step, for :meth:`TimeLimit.near`.
        """
        requested, self._begun = self.requested, True
        near = self.limit.near(coming)  # asked always, for it measures what lies between
        if near and not requested and not self._time_up:
            self._time_up = True
            self._say(f"{self.limit}: ending here, while there is time to save")
        return requested or self._time_up

    @property
    def reason(self) -> str | None:
        """What ended the training early: ``SIGTERM``, ``--max-minutes 55``; None: nothing has."""
        if self.received is not None:
            return self.received.name
        return str(self.limit) if self._time_up else None

    def heed(self, agreed: bool) -> bool:
        """Whether to end, by what all workers agree on; what another has been told counts here."""
        if agreed and self.reason is None:
            self.received = signal.SIGTERM
        return agreed

    @property
    def exit_code(self) -> int:
        """143 after SIGTERM, 130 after SIGINT, 129 after SIGHUP, 124 when time is up, else 0."""
        # As a shell reports a process that a signal has ended.
        if self.received is not None:
            return 128 + self.received.value
        return EXIT_TIME_UP if self._time_up else 0

    def __enter__(self) -> StopSignal:
        # Python delivers signals to the main thread only; elsewhere they are not ours to take.
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._first)  # else it is nohup's
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _first(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        # The system's own action needs no return to Python: it works in the middle of a long step.
        for each in self._before:
            # A closed terminal tells twice, itself and by its shell; that hurries nobody.
            again = signal.SIG_IGN if each == signal.SIGHUP else signal.SIG_DFL
            signal.signal(each, again)
        what = "finishing this step and saving"
        if not self._begun:
            what = "stopping before a step is done, there is nothing new to save"
        self._say(f"{self.received.name}: {what}; once more stops at once")
