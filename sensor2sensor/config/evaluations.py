"""What those who write the files of an evaluation and those who read them have in common."""

from __future__ import annotations

FORMAT_VERSION = 1
# Raised whenever a metric is added or its definition changes: different versions never meet.
METRICS_VERSION = 2
KEY_COLUMNS = ("name", "scene", "split", "method")
MODEL = "model"  # the method that is no baseline
ARROWS = {"higher": "↑", "lower": "↓"}  # beside a metric: which way is better
