"""The benchmark of whole products, on a small one."""

from __future__ import annotations

import pytest

from benchmarks import predict


@pytest.mark.slow
def test_a_side_tells_its_times_its_memory_and_what_windows_change(tmp_path):
    words = ["--cache", str(tmp_path), "--work", str(tmp_path), "--size", "192"]
    words += ["--blocks", "1", "--width", "0.1", "--side", "tensorflow"]
    told = predict.run_side(predict.arguments().parse_args(words))
    assert 0 < told["network_seconds"] < told["seconds"] and told["peak_gib"] > 0
    assert told["network_share"] == told["network_seconds"] / told["seconds"]
    assert told["windows_differ"] < predict.BOUNDS["windows_differ"]
    sides = {"network_share": 0.95, "peak_gib": 1.0, "windows_differ": 0.0, "seconds": 1.0}
    result = {"tensorflow": sides, "onnx": sides, "tensorflow_over_onnx": 1.0}
    assert predict.report(result) == 0
    assert predict.report({**result, "onnx": {**sides, "network_share": 0.8}}) == 1
