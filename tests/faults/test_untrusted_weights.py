"""Row 43 of the fault table: weights from strangers run no code."""

from __future__ import annotations

import ast
import os
import pickle

import numpy as np
import pytest

from sensor2sensor.core.errors import CheckpointError
from sensor2sensor.core.runs import Run
from sensor2sensor.training.checkpoints import save
from sensor2sensor.training.restoring import restore_for_inference, restore_latest
from sensor2sensor.training.state import TrainingState, build_optimizers
from tests.unit.training.tiny import fresh

# Ways to run code, or to read outside the given file, while loading weights.
FORBIDDEN = {
    "pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "load_model", "load_weights",
    "enable_unsafe_deserialization", "deserialize_keras_object", "load_saved_model",
}  # fmt: skip


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def make():
    model = fresh()
    build_optimizers(model)
    return model, TrainingState(model)


@pytest.mark.parametrize("member", ["index", "data-00000-of-00001"])
def test_a_pickle_in_place_of_a_checkpoint_is_refused_and_not_run(tmp_path, member):
    run = Run(tmp_path, "0715-0930")
    model, state = make()
    save(run.ckpt_dir, state, 2)
    hit = tmp_path / "hit"
    (run.ckpt_dir / f"ckpt-2.{member}").write_bytes(pickle.dumps(Bomb(hit)))
    with pytest.raises(CheckpointError):
        restore_for_inference(model, run)
    with pytest.raises(CheckpointError):
        restore_latest(run.ckpt_dir, state, repair=False)
    assert not hit.exists()
    pickle.loads(pickle.dumps(Bomb(hit)))
    assert hit.exists()  # the bomb was live


def test_arrays_of_objects_are_refused_when_tables_are_read(tmp_path):
    hit = tmp_path / "hit"
    np.savez(tmp_path / "x.npz", xy_m=np.array([Bomb(hit)], dtype=object))
    with np.load(tmp_path / "x.npz") as table, pytest.raises(ValueError, match="allow_pickle"):
        table["xy_m"]
    assert not hit.exists()


def names_and_flags(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.name.split(".")[0] for alias in node.names)
            yield getattr(node, "module", None) or ""
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            yield f"{node.arg}={node.value.value}"


def test_nothing_here_can_unpickle_or_load_a_whole_model(repository):
    sources = [*(repository / "sensor2sensor").rglob("*.py"), *repository.glob("*.py")]
    sources += (repository / "models").glob("*.py")
    assert len(sources) > 50
    banned = FORBIDDEN | {"allow_pickle=True", "safe_mode=False"}
    found = {
        f"{path.name}: {name}" for path in sources for name in names_and_flags(path)
        if name in banned
    }  # fmt: skip
    assert found == set()
