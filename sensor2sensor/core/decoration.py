"""Pictures, sheets and galleries: a run is never ended for the sake of one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sensor2sensor.core.blame import sentence

logger = logging.getLogger(__name__)


@contextmanager
def decoration(what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Make something that only adorns the results; if that fails, say so and go on.

    The traceback is logged at level DEBUG, which ``--debug`` shows.

    Args:
        what: What is made, as the line begins.
        say: Where the line goes.
    """
    try:
        yield
    # Whatever a drawing library raises, from a missing font to a full disk, costs the picture only.
    except Exception as error:
        logger.debug("%s", what, exc_info=True)
        say(f"{what} is left out ({sentence(error)})")
