"""What most likely went wrong in a text file that a person wrote, and what to write instead."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from pathlib import Path

from sensor2sensor.core.errors import Sensor2SensorError

BACKSLASH = r"a backslash begins an escape: in a Windows path write \\ or / for each"
# "D:\": the backslash keeps the string open, and the parser stops wherever the next quote is.
_OPEN_PATH = re.compile(r'"(?:[A-Za-z]:|\\)(?:[^"\\]|\\\\)*(?<!\\)(?:\\\\)*\\"')
# A string of Python with a letter before it, as in r"D:\x".
_RAW = re.compile(r"""([rRbBuUfF]{1,2})["']""")
_ZERO = re.compile(r"(?<![\w.+-])-?0$")
_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc"})
_QUOTES = "“”„«»‘’´`"
# A letter, a dot or a sign where JSON wants a value.
_BARE = re.compile(r"[^\W\d]|[.+\\~/]|-\D")
_PYTHON = re.compile(r"(True|False|None|NULL|TRUE|FALSE|Null|nil|undefined)\b")


def decoded(raw: bytes, path: Path, kind: type[Sensor2SensorError]) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Raises:
        kind: It is in another encoding; the line is named.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw[:64]:
        hint = "PowerShell writes so: save it as UTF-8 (Out-File -Encoding utf8)"
        raise kind("is UTF-16 text, not UTF-8", where=f"{path}:1", hint=hint)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        problem = f"not UTF-8 text (byte 0x{raw[error.start]:02x})"
        raise kind(problem, where=f"{path}:{line}", hint="save it as UTF-8") from None


def on_every_python(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """The same error whichever Python raised it.

    From 3.13 on a comma before a closing bracket is refused where it stands, under a message of its
    own; before, the bracket after it was, as what stands in a value's place.
    """
    if not error.msg.startswith("Illegal trailing comma"):
        return error
    bracket = re.compile(r"[}\]]").search(error.doc, error.pos)
    if bracket is None:
        return error
    wanted = {"}": "Expecting property name enclosed in double quotes", "]": "Expecting value"}
    return json.JSONDecodeError(wanted[bracket[0]], error.doc, bracket.start())


def json_slip(text: str, place: int, said: str) -> str | None:
    """The likely slip behind an error of the JSON parser, as a hint; None where nothing is likely.

    Args:
        text: What was parsed.
        place: Where the parser stopped (``JSONDecodeError.pos``).
        said: Its message (``JSONDecodeError.msg``).
    """
    if not text.strip():
        return "the file is empty"
    if raw := _RAW.match(text, place):
        return f"remove the {raw[1]} before the quotes, and write \\\\ or / for each backslash"
    line = text[text.rfind("\n", 0, place) + 1 :].split("\n", 1)[0]
    if said.startswith("Invalid \\") or _OPEN_PATH.search(line):
        return BACKSLASH
    if said.startswith(("Invalid control character", "Unterminated string")):
        return "a closing quote is missing"
    if hidden := _hidden(text, place):
        return hidden
    here, before = text[place:].lstrip(), text[:place].rstrip()
    if said.startswith("Expecting ',' delimiter") and here[:1] not in ("", "=", ";", "/"):
        return _missing_comma(here, before, text[len(before) : place])
    return _sign(here, before) or _expected(here, before, said)


def _hidden(text: str, place: int) -> str | None:
    """What to do about a sign that nobody sees and that is no space to JSON."""
    while text[place : place + 1] in tuple(" \t\r\n"):
        place += 1
    sign = text[place : place + 1]
    if not sign or unicodedata.category(sign) not in _INVISIBLE:
        return None
    column = place - text.rfind("\n", 0, place)
    named = unicodedata.name(sign, "control character").lower()
    return f"delete the invisible sign in column {column} (U+{ord(sign):04X}, {named})"


def _missing_comma(here: str, before: str, between: str) -> str:
    if not between and here[0].isdigit() and _ZERO.search(before):
        return "a number cannot begin with 0"
    if before.endswith('"') and here[0].isalnum():
        return 'a comma is missing, or a quote inside the text: write \\" for it'
    if "\n" in between:
        return f"a comma is missing at the end of line {before.count(chr(10)) + 1}"
    return f"a comma is missing before {here.split()[0][:20]}"


def _sign(here: str, before: str) -> str | None:
    """What the sign at the place, or the one before it, tells by itself."""
    if not here:
        return "the file ends too early: a closing } or ] is missing"
    if here.startswith("/*"):
        return "/* */ is not understood: begin every line of a comment with // or #"
    if here[0] in "}]" and before.endswith(","):
        return f"remove the comma before {here[0]}"
    if here.startswith(","):
        return "a value is missing before the comma, or there is one comma too many"
    if here[0] == "'" or here[0] in _QUOTES:
        return f'write straight double quotes " in place of {here[0]}'
    if here[0] in "=;":
        return f"write {':' if here[0] == '=' else ','} in place of {here[0]}"
    return None


def _expected(here: str, before: str, said: str) -> str | None:
    """What the parser wanted, in words for a person."""
    if said.startswith("Extra data"):
        return "something stands after the closing bracket; a file holds one {...}"
    if said.startswith("Expecting property name"):
        return "put the key in double quotes"
    if said.startswith("Expecting ':' delimiter"):
        return 'write "key": value'
    if word := _PYTHON.match(here):
        return f"write true, false or null in place of {word[0]}"
    if not before or not _BARE.match(here):  # at the very beginning: it is no JSON at all
        return None
    return "put text in double quotes; write numbers like 0.5 or -2"
