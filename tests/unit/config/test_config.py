"""Environment, selection and the JSON reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor2sensor.config.environment import VARIABLE, Environment, load_environment
from sensor2sensor.config.jsonc import blank_comments, load_jsonc
from sensor2sensor.config.selection import load_selection
from sensor2sensor.config.vocabulary import LOSSES
from sensor2sensor.core.errors import ConfigErrors, InputError

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4), st.sampled_from([None, 1, 4]))
def test_any_json_object_reads_as_the_standard_library_reads_it(
    value: dict, indent: int | None
) -> None:
    import tempfile

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    assert blank_comments(text) == text or "\t" in text or "#" in text or "//" in text
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        path.write_text("# first\n" + text + " // last\n", encoding="utf-8")
        assert load_jsonc(path).data == value


def test_comments_in_strings_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"url": "http://x/#a", # gone\n "b": "\\" // c"}')
    assert load_jsonc(path).data == {"url": "http://x/#a", "b": '" // c'}


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{\n// c\n\t"a": {\n "b": [1,\n 2]\n}\n}')
    document = load_jsonc(path)
    assert [document.line_of(k) for k in (("a",), ("a", "b"), ("a", "b", 1), ("a", "zz"))] == [
        3,
        4,
        5,
        3,
    ]


def test_environment_works_as_shipped(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    env = load_environment()
    assert env.path == repository / "environment.json"
    assert env.data_root == repository / "data"
    assert env.evaluation_dir == repository / "experiments" / "_evaluation"
    assert (env.sample_freq, env.ckpt_freq, env.max_shuffle_buffer) == (1000, 10000, 500)


def test_environment_by_variable_and_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = tmp_path / "a" / "env.json", tmp_path / "b.json"
    a.parent.mkdir()
    a.write_text('{"data_root": "../d", "sample_freq": 5}')
    b.write_text('{"data_root": "/abs/d"}')
    monkeypatch.setenv(VARIABLE, str(a))
    assert load_environment().data_root == tmp_path / "d"
    assert load_environment(b).data_root == Path("/abs/d")
    with pytest.raises(InputError, match=r"s2_root: no folder .*archive/Sentinel-2"):
        load_environment(b).require("s2_root")


def test_selection_reports_all_problems(tmp_path: Path) -> None:
    env_file = tmp_path / "environment.json"
    env_file.write_text('{"data_root": "d"}')
    env = load_environment(env_file)
    env.inventory_dir.mkdir(parents=True)
    good = env.inventory_dir / "chosen.json"
    good.write_text(
        '{"inventory": "inv_T17XNA_10h", "s2_indices": [3, 1], "products": {"3": "S2A"}}'
    )
    selection = load_selection("chosen", env)
    assert (selection.s2_indices, selection.products) == ((3, 1), {3: "S2A"})
    assert load_selection(str(good), env) == selection
    with pytest.raises(InputError, match="nearest: 'chosen'"):
        load_selection("chozen", env)
    good.write_text('{"inventory": 5, "s2_indices": [1, 1, 2], "product": {}}')
    with pytest.raises(ConfigErrors) as caught:
        load_selection("chosen", env)
    text = str(caught.value)
    assert "inventory: must be a valid string, not 5" in text
    assert "s2_indices: ids given twice: 1" in text
    assert "product: unknown key; nearest: 'products'" in text


@pytest.fixture
def inventories(tmp_path: Path) -> Environment:
    """An environment whose _inventory holds an inventory and no selection."""
    env_file = tmp_path / "environment.json"
    env_file.write_text('{"data_root": "d"}')
    env = load_environment(env_file)
    env.inventory_dir.mkdir(parents=True)
    manifest = {"step": "20", "version": "1", "options": {}, "products": {}, "superseded": {}}
    (env.inventory_dir / "inv_T17XNA_10h.json").write_text(json.dumps(manifest))
    (env.inventory_dir / "inv_T17XNA_10h.csv").write_text("index\n")
    (env.inventory_dir / "tilecodes.json").write_text('{"step": "10", "tiles": {"T17XNA": 3}}')
    return env


def refusal(name: object, env: Environment) -> str:
    with pytest.raises(InputError) as caught:
        load_selection(str(name), env)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_only_selections_are_proposed_as_selections(inventories: Environment) -> None:
    text = refusal("my sel", inventories)
    assert "no selection 'my sel'" in text and "contact sheet of step 30 writes" in text
    assert "inv_T17XNA" not in text and "tilecodes" not in text
    (inventories.inventory_dir / "coast.json").write_text('{"inventory": "i", "s2_indices": [1]}')
    (inventories.inventory_dir / "torn.json").write_text('{"inventory": "i", ')
    assert refusal("my sel", inventories).endswith("valid: coast")


def test_an_inventory_given_as_a_selection_is_recognised(inventories: Environment) -> None:
    folder = inventories.inventory_dir
    names = ["inv_T17XNA_10h", folder / "inv_T17XNA_10h.json", folder / "inv_T17XNA_10h.csv"]
    for name in names:
        text = refusal(name, inventories)
        assert "that is an inventory, not a selection" in text
        assert f"select scenes in {folder / 'inv_T17XNA_10h' / 'index.html'}" in text
        assert "which step 30 makes: --inventory inv_T17XNA_10h" in text
    (folder / "inv_T17XNA_10h").mkdir()
    (folder / "inv_T17XNA_10h" / "index.html").write_text("")
    assert "step 30" not in refusal(names[0], inventories)
    # The manifest of a large archive is too long for a configuration, and an inventory still.
    (folder / "inv_T17XNA_10h.json").write_text('{"products": "' + "x" * 2_000_000 + '"}')
    assert "that is an inventory" in refusal(names[0], inventories)
    assert "no selection: it has no s2_indices" in refusal("tilecodes", inventories)


def test_a_mistyped_path_names_the_nearest_file_beside_it(inventories: Environment) -> None:
    folder = inventories.inventory_dir
    (folder / "coast.json").write_text('{"inventory": "i", "s2_indices": [1]}')
    text = refusal(folder / "coats.json", inventories)
    assert f"{folder / 'coats.json'}: no such file; nearest: 'coast.json'" in text
    assert "no such file; there is no folder" in refusal(folder / "down" / "a.json", inventories)
    (folder / "empty").mkdir()
    assert "no .json file lies beside it" in refusal(folder / "empty" / "a.json", inventories)


def test_losses_have_a_side() -> None:
    prefixes = {"generator": "gen_", "discriminator": "disc_"}
    assert all(name.startswith(prefixes[info.side]) for name, info in LOSSES.items())
