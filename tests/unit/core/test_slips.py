"""Every error of the parser in a user's file says what to write instead."""

from __future__ import annotations

import json

import pytest

from sensor2sensor.config.environment import load_environment
from sensor2sensor.config.experiment_file import load_experiment_file
from sensor2sensor.config.jsonc import load_jsonc
from sensor2sensor.config.selection import load_selection
from sensor2sensor.core import files
from sensor2sensor.core.errors import ConfigError, InputError
from sensor2sensor.core.slips import BACKSLASH

GOOD = '{\n "data_root": "data",\n "s2_root": "s2",\n "s3_root": "s3"\n}\n'


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


SLIPS = {
    "windows path": (changed('"s2"', r'"D:\sentinel\s2"'), 3, BACKSLASH),
    "windows path, a valid escape first": (changed('"s2"', r'"D:\new\sat"'), 3, BACKSLASH),
    "windows path that ends in a backslash": (changed('"s2"', '"D:\\"'), 3, BACKSLASH),
    "network path": (changed('"s2"', r'"\\server\share"'), 3, BACKSLASH),
    "unicode escape": (changed('"s2"', r'"C:\users\x"'), 3, BACKSLASH),
    "trailing comma": (changed('"s3"\n', '"s3",\n'), 5, "remove the comma before }"),
    "trailing comma in a list": (changed('"s2"', '["a",]'), 3, "remove the comma before ]"),
    "missing comma": (changed('"s2",', '"s2"'), 4, "a comma is missing at the end of line 3"),
    "missing comma in a line": ('{"a": 1 "b": 2}', 1, 'a comma is missing before "b":'),
    "two commas": (changed('"s2",', '"s2",,'), 3, "one comma too many"),
    "block comment": ("/* my machine */\n" + GOOD, 1, "/* */ is not understood"),
    "block comment inside": (changed('"s2",', '"s2", /* x */'), 3, "/* */ is not understood"),
    "block comment at the end": (changed('"s3"\n', '"s3" /* x */\n'), 4, "/* */ is not"),
    "single quotes": (changed('"s2"', "'s2'"), 3, "straight double quotes \" in place of '"),
    "single quotes around a key": (changed('"s2_root"', "'s2_root'"), 3, "straight double quotes"),
    "curly quotes": (changed('"s2"', "“s2”"), 3, 'straight double quotes " in place of “'),
    "key without quotes": (changed('"s2_root"', "s2_root"), 3, "put the key in double quotes"),
    "text without quotes": (changed('"s2"', "/archive/s2"), 3, "put text in double quotes"),
    "Python": (changed('"s2"', "True"), 3, "write true, false or null in place of True"),
    "number": (changed('"s2"', ".5"), 3, "write numbers like 0.5"),
    "equals": (changed('"s2_root":', '"s2_root" ='), 3, "write : in place of ="),
    "semicolon": (changed('"s2",', '"s2";'), 3, "write , in place of ;"),
    "no colon": (changed('"s2_root":', '"s2_root"'), 3, 'write "key": value'),
    "no closing quote": (changed('"s2",', '"s2,'), 3, "a closing quote is missing"),
    "quote inside": (changed('"s2"', '"my "best" folder"'), 3, 'write \\" for it'),
    "no closing brace": (GOOD.replace("}", ""), 6, "a closing } or ] is missing"),
    "two objects": (GOOD + GOOD, 6, "something stands after the closing bracket"),
    "invisible before a key": (
        changed('"s2_root"', '\u00a0"s2_root"'),
        3,
        "column 2 (U+00A0, no-break space)",
    ),
    "invisible after a comma": ('{"a": 1,\u200b "b": 2}', 1, "column 9 (U+200B, zero width space)"),
    "invisible before a value": (changed('"s2"', '\ufeff"s2"'), 3, "delete the invisible sign"),
    "invisible after a value": (changed('"s2"', '"s2"\u200b'), 3, "(U+200B, zero width space)"),
    "invisible after a key": (changed('"s2_root"', '"s2_root"\u2028'), 3, "line separator"),
    "raw text of Python": (changed('"s2"', r'r"D:\x"'), 3, "remove the r before the quotes"),
    "a raw path that ends in a backslash": (changed('"s2"', 'r"D:\\"'), 3, "remove the r before"),
    "zeros": (changed('"s2"', "[00]"), 3, "a number cannot begin with 0"),
    "a number with a zero before it": (changed('"s2"', "-007"), 3, "a number cannot begin with 0"),
    "empty": ("\n", 2, "the file is empty"),
}
ENCODINGS = {
    "utf-16": (GOOD.encode("utf-16"), 1, "is UTF-16 text, not UTF-8; PowerShell writes so"),
    "utf-16 without a mark": (GOOD.encode("utf-16-le"), 1, "is UTF-16 text"),
    "latin-1": (changed('"s2"', '"Grönland"').encode("latin-1"), 3, "not UTF-8 text (byte 0xf6)"),
}
EVERY = {name: (text.encode(), line, hint) for name, (text, line, hint) in SLIPS.items()}
every = pytest.mark.parametrize(
    ("content", "line", "hint"), [*(EVERY | ENCODINGS).values()], ids=[*(EVERY | ENCODINGS)]
)


@every
def test_environment_json_names_the_line_and_what_to_write(tmp_path, content, line, hint):
    file = tmp_path / "environment.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_environment(file)
    told = str(caught.value)
    assert told.startswith(f"{file}:{line}") and hint in told
    assert "examples/experiments" not in told and "\n" not in told


@every
def test_a_file_this_project_wrote_and_a_person_edited_names_them_too(
    tmp_path, content, line, hint
):
    file = tmp_path / "dataset.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        files.read_json(file)
    assert str(caught.value).startswith(f"{file}:{line}") and hint in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode(), GOOD.encode()],
    ids=["mark", "windows lines", "plain"],
)
def test_what_editors_add_is_accepted(tmp_path, content):
    (tmp_path / "environment.json").write_bytes(content)
    assert load_environment(tmp_path / "environment.json").s2_root == tmp_path / "s2"
    assert files.read_json(tmp_path / "environment.json") == json.loads(GOOD)


def test_a_path_that_is_written_right_is_not_blamed_for_another_slip(tmp_path):
    file = tmp_path / "environment.json"
    file.write_text('{"s2_root": "D:\\\\s2", "s3_root": "D:\\\\s3",}')
    with pytest.raises(ConfigError, match="remove the comma before }"):
        load_environment(file)


@pytest.mark.parametrize("content", ["[]", "{" + '"a": [' * 70, "}"])
def test_each_kind_of_file_points_to_an_example_of_its_own(tmp_path, content):
    (tmp_path / "environment.json").write_text("{}")
    environment = load_environment(tmp_path / "environment.json")
    environment.inventory_dir.mkdir(parents=True)
    selection = environment.inventory_dir / "sel.json"
    selection.write_text(content)
    with pytest.raises(ConfigError, match="the contact sheet of step 30"):
        load_selection("sel", environment)
    for name, hint in (
        ("environment.json", "the environment.json of the repository"),
        ("experiment.json", "see examples/experiments"),
    ):
        (tmp_path / name).write_text(content)
        loader = load_environment if name[:3] == "env" else load_experiment_file
        with pytest.raises(ConfigError, match=hint):
            loader(tmp_path / name)
    with pytest.raises(ConfigError):
        load_jsonc(selection)


def test_a_number_that_no_machine_holds_is_refused_with_its_line(tmp_path):
    digits = "1" * 5000
    file = tmp_path / "environment.json"
    file.write_text(f'{{\n "sample_freq": {digits},\n "ckpt_freq": -{digits}\n}}')
    with pytest.raises(ConfigError) as caught:
        load_environment(file)
    told = str(caught.value).splitlines()
    assert [line.split()[0] for line in told] == [f"{file}:2", f"{file}:3"]
    assert told[0].endswith("sample_freq: inf is not a finite number")
    with pytest.raises(InputError, match=r"environment\.json:2: a number has too many digits"):
        files.read_json(file)
    file.write_text('{"a": ' + "[" * 100_000)
    with pytest.raises(InputError, match=r"environment\.json: nested too deep"):
        files.read_json(file)
