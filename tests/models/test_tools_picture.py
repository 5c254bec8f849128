"""From a network to its picture: what becomes a box, where it goes, what is written."""

from __future__ import annotations

import itertools

import keras
import pytest
from defusedxml import ElementTree

from model_tools.graph import read_graph
from model_tools.layout import lay_out
from model_tools.picture import draw
from model_tools.recipe import read_recipe
from models import layers

C = keras.layers.Concatenate
SVG = "{http://www.w3.org/2000/svg}"


def conv(filters=4, size=3, **more):
    return keras.layers.Conv2D(filters, size, padding="same", **more)


def recipe(function, size=32):
    inputs = keras.Input([size, size, 3])
    return read_recipe(read_graph(keras.Model(inputs, function(inputs))))


def labels(made):
    return [node.label for node in made.nodes]


@layers.block("residual block")
def residual(x):
    return keras.layers.Add()([x, conv()(keras.layers.ReLU()(conv()(x)))])


def mixed(x):
    """A layer with followers, repeated blocks, a skip and a small branch beside the row."""
    x = start = layers.conv(5, 4, 2, True, True)(x)
    for _ in range(3):
        x = residual(x)
    x = keras.layers.Add()([x, conv(size=1)(start)])
    x = keras.layers.Conv2DTranspose(4, 4, 2, "same", activation="tanh")(x)
    return C()([x, keras.layers.Conv2DTranspose(4, 2, 2, "same")(start)])


def branching(x):
    """Beside the longest way there is more than chains."""
    one = conv()(x)
    two = conv(size=5)(x)
    joined = C()([one, two])
    return C()([conv()(conv()(joined)), two, conv(size=7)(joined), one])


def attention(x):
    x = conv(8)(x)
    weights = layers.channel_attention(x, 4)
    return conv(3)(keras.layers.Add()([keras.layers.Multiply()([weights, x]), x]))


def unet(x):
    return layers.sis2_pix2pix(x, 32, 3, width=0.02)


NETWORKS = {
    "mixed": mixed, "branching": branching, "attention": attention, "unet": unet,
    "straight": lambda x: conv()(conv()(x)),
}  # fmt: skip


def test_layers_take_their_followers_along_and_equal_blocks_become_one():
    made = recipe(mixed)
    nodes = {node.label: node for node in made.nodes}
    first = nodes["conv 5×5"]
    assert (first.kind, first.shape, first.activation) == ("down", (16, 16, 4), "leaky ReLU")
    block = nodes["residual block"]
    assert (block.repeats, block.details) == (3, ("2 × conv 3×3",))
    assert nodes["up-conv 4×4"].activation == "tanh"
    assert made.nodes[-1].shape == (32, 32, 8)


def test_a_network_of_one_block_is_opened():
    made = recipe(unet)
    assert "U-Net" not in labels(made)
    assert [node.kind for node in made.nodes].count("down") == 5
    assert [node.kind for node in made.nodes].count("up") == 5
    both = recipe(lambda x: conv()(unet(x)))
    assert labels(both) == ["input", "U-Net", "conv 3×3", "output"]


def test_details_of_a_block_come_from_its_layers():
    kernels = recipe(
        lambda x: conv()(layers.sis2_dense_multireceptive_field_dmnet(x, (13, 5, 9), 4))
    )
    assert kernels.nodes[1].details == ("conv 13×13", "conv 5×5", "conv 9×9")
    attended = recipe(attention)
    (block,) = [node for node in attended.nodes if node.kind == "block"]
    assert block.details == ("global mean", "2 × conv 1×1")
    rated = layers.block("field")(
        lambda x: C()([conv(dilation_rate=rate)(x) for rate in (3, 1, 2)])
    )
    rates = ("conv 3×3, rate 3", "conv 3×3", "conv 3×3, rate 2")
    assert recipe(lambda x: conv()(rated(x))).nodes[1].details == rates


@pytest.mark.parametrize("name", NETWORKS)
def test_arrows_are_those_of_the_network_and_point_forward(name):
    made = recipe(NETWORKS[name])
    assert made.nodes[0].kind == "input" and made.nodes[-1].kind == "output"
    assert all(a < b for a, b in made.edges)
    assert {b for _, b in made.edges} == set(range(1, len(made.nodes)))
    assert {a for a, _ in made.edges} == set(range(len(made.nodes) - 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_do_not_overlap_and_arcs_clear_what_they_span(name):
    layout = lay_out(recipe(NETWORKS[name]))
    for left, right in itertools.pairwise(layout.boxes):
        assert left.x + left.width / 2 < right.x - right.width / 2
    assert layout.boxes[0].x - layout.boxes[0].width / 2 > 0
    assert layout.boxes[-1].x + layout.boxes[-1].width / 2 < layout.width
    for arc in layout.arcs:
        assert arc.x1 < arc.x2
        assert all(arc.level < box.top for box in layout.boxes[arc.start : arc.end + 1])
    for one, two in itertools.combinations(layout.arcs, 2):
        if one.x1 < two.x2 and two.x1 < one.x2:
            assert abs(one.level - two.level) > 10


def test_a_branch_stands_in_the_row_before_what_is_as_far_and_reaches_less_far():
    made = recipe(mixed)
    assert labels(made) == [
        "input", "conv 5×5", "up-conv 2×2", "conv 1×1", "residual block", "+", "up-conv 4×4", "C",
        "output",
    ]  # fmt: skip
    layout = lay_out(made)
    assert len(layout.boxes) == len(made.nodes)
    assert len(layout.links) + len(layout.arcs) == len(made.edges)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_picture_is_sound_xml_and_always_the_same(name):
    once, again = (draw(recipe(NETWORKS[name]), "a<b") for _ in range(2))
    assert once == again
    root = ElementTree.fromstring(once)
    assert root.tag == f"{SVG}svg" and float(root.get("width")) <= 900
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "a<b: generator" in texts and "input" in texts and "output" in texts
    assert "nan" not in once and "-0 " not in once
