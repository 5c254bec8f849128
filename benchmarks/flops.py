"""Arithmetic of a training step, counted in its graph, and what devices can do at most.

Counted is what the step really runs, forward and backward: every convolution and matrix product
that a result or a variable depends on, two operations for each multiply and add. Adding, scaling
and the like, the windows of SSIM and the optimizers' updates are left out: memory bounds them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

CONVOLUTIONS = {
    # Of these each the kernel's shape and the places it is laid on: inputs, by number.
    "Conv2D": ("input", 1, "output", 0),
    "Conv2DBackpropInput": ("input", 1, "input", 2),
    "Conv2DBackpropFilter": ("output", 0, "input", 2),
}
CALLS = ("PartitionedCall", "StatefulPartitionedCall")

# Dense TFLOP/s of one device, without sparsity: bfloat16 with sums in float32, TF32, float32.
# Sources: NVIDIA's data sheets of each (H100 2023, H200 2024, HGX B200 2024, A100 2021, A40, A30,
# A10, L40S, L40, L4 2023; Ada and Ampere GA102 white papers for GeForce); where a sheet gives
# numbers with sparsity, half of them. Longer names first: the first that occurs is taken.
PEAKS = {
    "GH200": (989.4, 494.7, 66.9),
    "H200 NVL": (835.5, 417.5, 60.0),
    "H200": (989.4, 494.7, 66.9),
    "H100 PCIe": (756.0, 378.0, 51.2),
    "H100 NVL": (835.5, 417.5, 60.0),
    "H100": (989.4, 494.7, 66.9),
    "B200": (2250.0, 1125.0, 75.0),
    "A100": (312.0, 156.0, 19.5),
    "A40": (149.7, 74.8, 37.4),
    "A30": (165.0, 82.0, 10.3),
    "A10G": (70.0, 35.0, 31.2),
    "A10": (125.0, 62.5, 31.2),
    "L40S": (362.1, 183.0, 91.6),
    "L40": (181.0, 90.5, 90.5),
    "L4": (121.0, 60.0, 30.3),
    "RTX 4090": (165.2, 82.6, 82.6),
    "RTX 3090": (71.0, 35.6, 35.6),
}
COLUMNS = ("bfloat16", "tf32", "float32")
# Behind the name of a card they make it another card, or a part of it.
OTHERS = frozenset({"Ti", "SUPER", "Super", "Laptop", "Max", "D", "MIG"})


def peak_tflops(device: str, precision: str) -> float | None:
    """The most that a device is sold to do, TFLOP/s; None for one that is not in the table.

    Args:
        device: Its name as the driver gives it, such as ``NVIDIA H100 80GB HBM3``.
        precision: One of :data:`COLUMNS`.
    """
    words = device.replace("-", " ").split()
    if OTHERS & set(words):
        return None
    for name, peaks in PEAKS.items():
        wanted = name.split()
        if any(words[at : at + len(wanted)] == wanted for at in range(len(words))):
            return peaks[COLUMNS.index(precision)]
    return None


def step_gflop(concrete: Any) -> float:
    """10⁹ operations of one call of a traced step whose shapes are all known."""
    return sum(_operations(node) for node in _needed(concrete.graph)) / 1e9


def _needed(graph: Any) -> Iterator[Any]:
    """Nodes that a result or a side effect depends on; what a call calls, too.

    A gradient is made for both sides of a convolution, used or not; what is not used is not run.
    """
    waiting = [tensor.op for tensor in graph.outputs] + list(graph.control_outputs)
    seen = set()
    while waiting:
        node = waiting.pop()
        if node.name in seen:
            continue
        seen.add(node.name)
        yield node
        if node.type in CALLS:
            yield from _needed(graph._get_function(node.get_attr("f").name).graph)
        waiting += [tensor.op for tensor in node.inputs] + list(node.control_inputs)


def _operations(node: Any) -> int:
    if node.type in CONVOLUTIONS:
        kernel_of, kernel_at, places_of, places_at = CONVOLUTIONS[node.type]
        kernel = getattr(node, f"{kernel_of}s")[kernel_at].shape
        places = getattr(node, f"{places_of}s")[places_at].shape
        assert kernel.is_fully_defined() and places.is_fully_defined(), node.name
        return 2 * math.prod(kernel) * math.prod(places[:3])
    if node.type in ("MatMul", "BatchMatMulV2"):
        left, right = (tensor.shape for tensor in node.inputs)
        flag = "transpose_b" if node.type == "MatMul" else "adj_y"
        columns = right[-2] if node.get_attr(flag) else right[-1]
        return 2 * math.prod(left) * columns
    return 0
