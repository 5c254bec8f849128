"""``python -m sensor2sensor COMMAND``: ``s2s`` of a checkout, and what only that has."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sensor2sensor import commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    # Doors of a checkout import experiment.py and models/ beside them.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    known = {**commands.COMMANDS, **commands.OF_CHECKOUTS}
    return commands.main(words, "python -m sensor2sensor", known)


if __name__ == "__main__":
    sys.exit(main())
