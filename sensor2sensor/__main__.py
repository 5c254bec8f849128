"""``python -m sensor2sensor COMMAND``: the command ``s2s`` of a checkout, and its schemas."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from sensor2sensor import commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    known = {**commands.COMMANDS, "schemas": commands.SCHEMAS}
    return commands.main(words, "python -m sensor2sensor", known)


if __name__ == "__main__":
    sys.exit(main())
