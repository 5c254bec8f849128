"""Text for terminals, logs and files that cannot hold every sign, and names that are no text."""

from __future__ import annotations

import codecs
import sys

ESCAPED = "sensor2sensor.escaped"  # an error handler like "replace", for encoding
# What this package prints beyond ASCII and how a code page without it shows it.
_PLAIN = {
    "→": "->", "←": "<-", "↑": "^", "↓": "v", "–": "-", "—": "-", "…": "...", "×": "x",
    "µ": "u", "≤": "<=", "≥": ">=", "│": "|", "─": "-", "’": "'",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text that UTF-8 can hold: bytes of a file's name that are none show as in Python."""
    return text.encode("utf-8", ESCAPED).decode("utf-8")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(map(_shown, signs)), error.end


def _shown(sign: str) -> str:
    if "\udc80" <= sign <= "\udcff":  # how Python keeps a byte of a name that is no UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    return _PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii")


codecs.register_error(ESCAPED, _escape)


def forgive() -> None:
    """Let standard output and error replace what their encoding lacks instead of raising.

    A code page of Windows, an ASCII log of a batch system: a sign that cannot be shown is no
    reason to end a training whose work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # notebooks and None have none
        if reconfigure is not None:
            reconfigure(errors=ESCAPED)
