"""run.json: the device that was asked for, the commit that was run."""

from __future__ import annotations

import re
import shutil

import pytest

from sensor2sensor.core.errors import ConfigError
from sensor2sensor.training.record import choose_device, git_state


def test_a_missing_gpu_is_named_only_where_one_is_required():
    assert choose_device(require_gpu=False) == "CPU"  # the tests hide every GPU
    with pytest.raises(ConfigError, match=r"require_gpu is true.*doctor"):
        choose_device(require_gpu=True)


def test_the_commit_is_recorded_in_a_checkout(repository):
    state = git_state()
    if not (repository / ".git").exists() or shutil.which("git") is None:
        assert state == {"commit": None, "dirty": None}
    else:
        assert re.fullmatch(r"[0-9a-f]{40}", state["commit"])
        assert isinstance(state["dirty"], bool)


def test_without_git_nothing_is_claimed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state() == {"commit": None, "dirty": None}
