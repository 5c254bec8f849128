"""SIGTERM and SIGINT: the first asks the loop to finish its step and save, the second kills."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Remembers the first signal while its block runs.

    Args:
        say: Where the one line for the user goes.

    Attributes:
        received: The signal, or None.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.received: signal.Signals | None = None
        self._say, self._begun = say, False
        self._before: dict[signal.Signals, object] = {}

    @property
    def requested(self) -> bool:
        """Whether the loop is asked to stop."""
        return self.received is not None

    def asked(self) -> bool:
        """The same, for the loop: before its first step, and after each.

        From the first question on a signal is followed by the end of a step and a save.
        """
        requested, self._begun = self.requested, True
        return requested

    def heed(self, agreed: bool) -> bool:
        """Whether to end, by what all workers agree on; what another has been told counts here."""
        if agreed and not self.requested:
            self.received = signal.SIGTERM
        return agreed

    @property
    def exit_code(self) -> int:
        """143 after SIGTERM, 130 after SIGINT, 0 without a signal."""
        # As a shell reports a process that a signal has ended.
        return 0 if self.received is None else 128 + self.received.value

    def __enter__(self) -> StopSignal:
        # Python delivers signals to the main thread only; elsewhere they are not ours to take.
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._first)
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
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        what = "finishing this step and saving"
        if not self._begun:
            what = "stopping before a step is done, there is nothing new to save"
        self._say(f"{self.received.name}: {what}; once more stops at once")
