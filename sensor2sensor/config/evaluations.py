"""The files of an evaluation, for those who write them and those who read them."""

from __future__ import annotations

FORMAT_VERSION = 1
KEY_COLUMNS = ("name", "scene", "split", "method")  # of the table, before the metrics
MODEL = "model"  # the method that is no baseline
