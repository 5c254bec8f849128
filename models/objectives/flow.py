"""What a registration is trained by: four things that must hold of flows, with smooth L1.

R(a, b) is the flow that moves a onto b; S and L are one band of two sensors over the same ground.
No term needs a true flow between them, which nobody knows (after L1BSR, Nguyen et al., CVPRW 2023,
and torchsisr, whose weights are 1 each).
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from models.objectives.pixel import smooth_l1
from models.objectives.registry import LossInputs, register

_PAPER = "Nguyen et al., CVPRW 2023 (L1BSR)"


def _mean(difference: tf.Tensor) -> Any:
    return tf.reduce_mean(smooth_l1(difference))


@register(
    "gen_flow_composition",
    "generator",
    needs={"flows"},
    paper=_PAPER,
    about="A known change and the flow after it make the flow without it",
)
def gen_flow_composition(inputs: LossInputs) -> tf.Tensor:
    """Smooth L1 of ``phi`` then R(warp(S, phi), L) against R(S, L), pixels."""
    return _mean(inputs.flows.composed - inputs.flows.direct)


@register(
    "gen_flow_identity",
    "generator",
    needs={"flows"},
    paper=_PAPER,
    about="An image lies on itself",
)
def gen_flow_identity(inputs: LossInputs) -> tf.Tensor:
    """Smooth L1 of R(S, S), pixels."""
    return _mean(inputs.flows.same)


@register(
    "gen_flow_inverse",
    "generator",
    needs={"flows"},
    paper=_PAPER,
    about="There and back is where one began",
)
def gen_flow_inverse(inputs: LossInputs) -> tf.Tensor:
    """Smooth L1 of R(S, L) then R(L, S), pixels."""
    return _mean(inputs.flows.returned)


@register(
    "gen_flow_warping",
    "generator",
    needs={"flows"},
    paper=_PAPER,
    about="The moved image looks like the one it is moved onto",
)
def gen_flow_warping(inputs: LossInputs) -> tf.Tensor:
    """Smooth L1 of warp(S, R(S, L)) against L, each with mean 0 and deviation 1."""
    return _mean(inputs.flows.warped - inputs.flows.fixed)
