"""Two exports of the same weights are the same bytes, whatever names the exporter thought of."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sensor2sensor.predictors.onnx_file import export_onnx
from sensor2sensor.predictors.onnx_model import OnnxModel


def _exporter(names, turned):
    """A network that "exports" one graph, under other names and in another order."""
    one, two, three, first, second, inner = names
    shape = ["b", 2, "h", "w"]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("input", "made:0")]

    def constant(name, value):
        return numpy_helper.from_array(np.asarray(value, np.float32), name)

    branches = {}
    for name, sign in (("then_branch", "Add"), ("else_branch", "Sub")):
        value = helper.make_tensor_value_info(inner, TensorProto.FLOAT, shape)
        node = helper.make_node(sign, [first, three], [inner], name=inner + sign)
        branches[name] = helper.make_graph([node], name, [], [value])
    nodes = [
        helper.make_node("Mul", ["input", one], [first], name=first),
        helper.make_node("Add", ["input", two], [second], name=second),
        helper.make_node("If", ["so"], [inner + "_if"], **branches),
        helper.make_node("Mul", [inner + "_if", second], ["made:0"]),
    ]
    held = [constant(one, 2), constant(two, 3), constant(three, 5), constant("spare", 7)]
    held.append(numpy_helper.from_array(np.asarray(True), "so"))
    if turned:
        nodes[:2], held = nodes[1::-1], held[::-1]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    return SimpleNamespace(export=lambda path, **_: onnx.save(model, path))


@pytest.fixture
def exported(tmp_path):
    places = tmp_path / "a.onnx", tmp_path / "b.onnx"
    export_onnx(_exporter(["c__410", "c__411", "z", "m", "n", "v"], turned=False), places[0], 2)
    # One has the name that another is to be given.
    export_onnx(_exporter(["q", "constant_0", "c", "n", "Add_0", "m"], True), places[1], 2)
    return places


def test_names_and_order_follow_from_the_graph_alone(exported):
    assert exported[0].read_bytes() == exported[1].read_bytes()


def test_it_makes_what_it_made_by_its_own_names(exported):
    model = OnnxModel(exported[1])
    image = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    np.testing.assert_array_equal(model(image), (image * 2 + 5) * (image + 3))
    assert model.output == "made:0"
    onnx.checker.check_model(onnx.load(exported[1]), full_check=True)
