"""Building blocks of the models, with the call signatures of ARISGAN's ``layers.py``.

Conventions: images are ``[B, H, W, C]``; convolutions have no bias and weights from
N(0, 0.02) (Isola et al. 2017); batch normalisation has momentum 0.9, where the published networks
have Keras' default 0.99; the leaky ReLU has the slope 0.3 of the published networks (Keras' default
there), not pix2pix' 0.2.

The blocks live in ``models/parts``; this module hands them on under one name.
"""

from models.parts.base_image import base_layer, finish, last_conv
from models.parts.blocks import (
    dense_block,
    experimental_dense_block,
    sis2_dense_multireceptive_field_dmnet,
    sis2_dense_multireceptive_field_srs3,
    sis2_pix2pix,
)
from models.parts.discriminators import judged_pair, patchgan, vgg_discriminator
from models.parts.norms import (
    SpectralConv2D,
    batchnorm,
    chosen_norm,
    groupnorm,
    instancenorm,
    normalisation,
)
from models.parts.primitives import (
    DROPOUT,
    MIN_FILTERS,
    SLOPE,
    conv,
    deconv,
    dropout,
    lrelu,
    prelu,
    relu,
    scaled,
    sigmoid,
)
from models.parts.seeds import glorot, he_normal, layer_seed, normal, seeded
from models.parts.superres import (
    ChannelWeights,
    PixelShuffler,
    awrrdb_block,
    channel_attention,
    multiply_lambda,
    multiply_layer,
    pixelshuffler,
    residual,
    residual_block_dsen2,
    residual_block_srgan,
)
from models.parts.tags import block, mark

__all__ = [
    "DROPOUT",
    "MIN_FILTERS",
    "SLOPE",
    "ChannelWeights",
    "PixelShuffler",
    "SpectralConv2D",
    "awrrdb_block",
    "base_layer",
    "batchnorm",
    "block",
    "channel_attention",
    "chosen_norm",
    "conv",
    "deconv",
    "dense_block",
    "dropout",
    "experimental_dense_block",
    "finish",
    "glorot",
    "groupnorm",
    "he_normal",
    "instancenorm",
    "judged_pair",
    "last_conv",
    "layer_seed",
    "lrelu",
    "mark",
    "multiply_lambda",
    "multiply_layer",
    "normal",
    "normalisation",
    "patchgan",
    "pixelshuffler",
    "prelu",
    "relu",
    "residual",
    "residual_block_dsen2",
    "residual_block_srgan",
    "scaled",
    "seeded",
    "sigmoid",
    "sis2_dense_multireceptive_field_dmnet",
    "sis2_dense_multireceptive_field_srs3",
    "sis2_pix2pix",
    "vgg_discriminator",
]
