"""Loss terms that ask the discriminator D, each as its paper has it.

x is the truth, x̃ the generated image. D answers one number per patch or image; every mean runs
over the batch and all patches, unless a term says otherwise. A generator's term and the
discriminator's term of the same name belong together.
"""

from __future__ import annotations

import tensorflow as tf

from models.objectives.pixel import safe_root
from models.objectives.registry import IMAGES, LossInputs, register
from sensor2sensor.config.vocabulary import FEATURES
from sensor2sensor.core.errors import ConfigError
from sensor2sensor.core.seeds import Purpose, derive
from sensor2sensor.networks import replicas
from sensor2sensor.networks.layers import held_layers

EPSILON = 1e-8  # of a probability that rounded to 0 or 1: its log ends at -18.4
FAKE = frozenset({"disc_fake"})
BOTH = frozenset({"disc_real", "disc_fake"})


def _log_probability(answer: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Log of D, from logits without ever forming a probability that rounds to 0."""
    return tf.math.log_sigmoid(answer) if from_logits else tf.math.log(answer + EPSILON)


def _log_complement(answer: tf.Tensor, *, from_logits: bool) -> tf.Tensor:
    """Log of 1 - D; for logits 1 - sigmoid(a) = sigmoid(-a)."""
    if from_logits:
        return tf.math.log_sigmoid(-answer)
    return tf.math.log(1.0 - answer + EPSILON)


@register(
    "gen_gan",
    "generator",
    needs=FAKE,
    paper="Goodfellow et al. 2014, non-saturating",
    about="Non-saturating adversarial loss",
)
def gen_gan(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(x̃) against 1 (Goodfellow et al. 2014, non-saturating)."""
    # Minimising ln(1 - D) instead would saturate early, while D still wins.
    return inputs.loss_object(tf.ones_like(inputs.disc_fake), inputs.disc_fake)


@register(
    "gen_nll",
    "generator",
    needs=FAKE,
    paper="Goodfellow et al. 2014, -log D(G(x))",
    about="-log D(G(x))",
)
def gen_nll(inputs: LossInputs) -> tf.Tensor:
    """Mean of -ln D(x̃), on logits through log-sigmoid (Goodfellow et al. 2014)."""
    return -tf.reduce_mean(_log_probability(inputs.disc_fake, from_logits=inputs.from_logits))


@register(
    "disc_bce",
    "discriminator",
    needs=BOTH,
    paper="Goodfellow et al. 2014",
    about="Binary cross-entropy, real and generated",
)
def disc_bce(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(x) against 1 plus of D(x̃) against 0; the sum is not halved."""
    real = disc_bce_real(inputs)
    fake = inputs.loss_object(tf.zeros_like(inputs.disc_fake), inputs.disc_fake)
    # pix2pix halves it, which is a weight of 0.5.
    return real + fake


@register(
    "disc_bce_real",
    "discriminator",
    needs=frozenset({"disc_real"}),
    paper="Goodfellow et al. 2014",
    about="Binary cross-entropy of real images: a half of disc_bce",
)
def disc_bce_real(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(x) against 1; with ``disc_bce_fake`` of equal weight it is disc_bce.

    With ``discriminator.label_smoothing`` s it is held against 1 - s (Salimans et al. 2016, section
    3.4: real images alone).
    """
    label = tf.ones_like(inputs.disc_real)
    if inputs.label_smoothing:
        label *= 1.0 - inputs.label_smoothing
    return inputs.loss_object(label, inputs.disc_real)


@register(
    "disc_bce_fake",
    "discriminator",
    needs=FAKE,
    paper="Goodfellow et al. 2014",
    about="Binary cross-entropy of generated images: a half of disc_bce",
)
def disc_bce_fake(inputs: LossInputs) -> tf.Tensor:
    """Cross-entropy of D(x̃) against 0."""
    return inputs.loss_object(tf.zeros_like(inputs.disc_fake), inputs.disc_fake)


@register(
    "disc_nll",
    "discriminator",
    needs=BOTH,
    paper="Goodfellow et al. 2014, minimax form",
    about="-log D(y) - log(1 - D(G(x)))",
)
def disc_nll(inputs: LossInputs) -> tf.Tensor:
    """Mean of -[ln D(x) + ln(1 - D(x̃))], on logits (Goodfellow et al. 2014, equation 1)."""
    logits = inputs.from_logits
    real = _log_probability(inputs.disc_real, from_logits=logits)
    fake = _log_complement(inputs.disc_fake, from_logits=logits)
    return -tf.reduce_mean(real + fake)


@register(
    "gen_lsgan",
    "generator",
    needs=FAKE,
    paper="Mao et al. 2017, least squares",
    about="Least squares, (D(G(x)) - 1)² / 2",
)
def gen_lsgan(inputs: LossInputs) -> tf.Tensor:
    """½ mean (D(x̃) - 1)² (Mao et al. 2017, least squares with c = 1).

    Unlike cross-entropy it pulls the harder the farther D(x̃) lies from 1, on either side.

    Raises:
        ConfigError: D answers in probabilities; its sigmoid would flatten the pull again.
    """
    inputs.refuse_probabilities("gen_lsgan")
    return 0.5 * tf.reduce_mean(tf.square(inputs.disc_fake - 1.0))


@register(
    "disc_lsgan",
    "discriminator",
    needs=BOTH,
    paper="Mao et al. 2017, least squares",
    about="Least squares, real and generated",
)
def disc_lsgan(inputs: LossInputs) -> tf.Tensor:
    """½ mean (D(x) - 1)² + ½ mean D(x̃)² (Mao et al. 2017, with a = 0 and b = 1).

    Raises:
        ConfigError: D answers in probabilities.
    """
    inputs.refuse_probabilities("disc_lsgan")
    real = tf.reduce_mean(tf.square(inputs.disc_real - 1.0))
    return 0.5 * (real + tf.reduce_mean(tf.square(inputs.disc_fake)))


def _relativistic(more: tf.Tensor, less: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """-mean ln σ(more - mean(less)) - mean ln(1 - σ(less - mean(more)))."""
    lead = more - replicas.mean_of_all(tf.reduce_mean(less))
    above = tf.math.log_sigmoid(lead)
    if smoothing:  # cross-entropy against 1 - smoothing
        above = (1.0 - smoothing) * above + smoothing * tf.math.log_sigmoid(-lead)
    # 1 - σ(a) is σ(-a), hence the difference the other way round.
    below = tf.math.log_sigmoid(replicas.mean_of_all(tf.reduce_mean(more)) - less)
    return -tf.reduce_mean(above) - tf.reduce_mean(below)


@register(
    "gen_ragan",
    "generator",
    needs=BOTH,
    paper="Jolicoeur-Martineau 2019, relativistic average",
    about="Relativistic average, generator's half",
)
def gen_ragan(inputs: LossInputs) -> tf.Tensor:
    """-mean ln σ(D(x̃) - mean D(x)) - mean ln(1 - σ(D(x) - mean D(x̃))).

    Relativistic average (Jolicoeur-Martineau 2019; ESRGAN, Wang et al. 2018, equation 2): the
    generated image has to look more real than the truth does on average, so the truth's answers
    take part in the generator's gradient. The inner means are those of the batch.

    Raises:
        ConfigError: D answers in probabilities; differences are taken of logits.
    """
    inputs.refuse_probabilities("gen_ragan")
    return _relativistic(inputs.disc_fake, inputs.disc_real)


@register(
    "disc_ragan",
    "discriminator",
    needs=BOTH,
    paper="Jolicoeur-Martineau 2019",
    about="Relativistic average, D's half",
)
def disc_ragan(inputs: LossInputs) -> tf.Tensor:
    """-mean ln σ(D(x) - mean D(x̃)) - mean ln(1 - σ(D(x̃) - mean D(x))).

    The discriminator's half of :func:`gen_ragan` (ESRGAN, Wang et al. 2018, equation 1).

    Raises:
        ConfigError: D answers in probabilities.
    """
    inputs.refuse_probabilities("disc_ragan")
    return _relativistic(inputs.disc_real, inputs.disc_fake, inputs.label_smoothing)


@register(
    "gen_wstein",
    "generator",
    needs=FAKE,
    paper="Arjovsky et al. 2017, -mean D(G(x)) alone",
    about="-mean D(G(x)), without a critic's loss",
)
def gen_wstein(inputs: LossInputs) -> tf.Tensor:
    """-mean D(x̃), the generator's half of a Wasserstein GAN (Arjovsky et al. 2017).

    With ``disc_wstein`` and ``disc_gp`` it is WGAN-GP. Alone, beside a D that is trained by
    cross-entropy, as ARISGAN publishes it, it is no WGAN: no critic's loss estimates a distance
    and nothing bounds D's slope. On logits the term then has no lower bound, and its gradient
    with respect to each answer is the same -1/N however well D is already deceived, where
    cross-entropy would let go. It pushes for as long as D's logits grow, so its weight against
    the pixel terms decides everything. On probabilities it is the mean probability, whose
    gradient vanishes where D is certain.
    """
    return -tf.reduce_mean(inputs.disc_fake)


@register(
    "disc_wstein",
    "discriminator",
    needs=BOTH,
    paper="Arjovsky et al. 2017, critic",
    about="mean D(G(x)) - mean D(y), the critic's",
)
def disc_wstein(inputs: LossInputs) -> tf.Tensor:
    """Mean D(x̃) - mean D(x), the critic's half of a Wasserstein GAN (Arjovsky et al. 2017).

    Its negative estimates the Wasserstein distance only of a critic with bounded slope: use it
    with ``disc_gp``, without which it has no lower bound.

    Raises:
        ConfigError: D answers in probabilities; a critic is linear.
    """
    inputs.refuse_probabilities("disc_wstein")
    return tf.reduce_mean(inputs.disc_fake) - tf.reduce_mean(inputs.disc_real)


@register(
    "disc_gp",
    "discriminator",
    needs=IMAGES | {"input", "discriminator", "step"},
    paper="Gulrajani et al. 2017, gradient penalty",
    about="Gradient penalty of WGAN-GP",
)
def disc_gp(inputs: LossInputs) -> tf.Tensor:
    """Mean over the batch of (‖∇D(x̂)‖₂ - 1)² (Gulrajani et al. 2017, equation 3, unweighted).

    x̂ = e·x + (1 - e)·x̃ with one e per image, uniform in [0, 1). D(x̂) is the mean of the
    critic's answers to an image, the function whose difference ``disc_wstein`` measures; its
    gradient is taken over all pixels and channels of the image. The paper's weight is 10. e is
    keyed by seed, step and ``draw``: a resumed run draws the same.

    Raises:
        ConfigError: The critic normalises by batch, which ties images together whose gradients
            are bounded one by one; or it answers in probabilities.
    """
    inputs.refuse_probabilities("disc_gp")
    _refuse_batchnorm(inputs.discriminator)
    share = _shares(inputs)
    made = tf.stop_gradient(inputs.output)
    between = share * inputs.target + (1.0 - share) * made
    # Of the images alone: the step's own tape goes through this gradient to D's variables.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(between)
        answers = inputs.discriminator([inputs.input, between], training=True)
        # Summed, so that one gradient holds those of all images: none depends on another.
        total = tf.reduce_sum(_mean_per_image(tf.cast(answers, between.dtype)))
    slope = tape.gradient(total, between)
    # A plain root would make NaN of the second gradient where the first is 0.
    norm = safe_root(tf.reduce_sum(tf.square(slope), axis=[1, 2, 3]))
    return tf.reduce_mean(tf.square(norm - 1.0))


def _mean_per_image(answers: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reshape(answers, [tf.shape(answers)[0], -1]), axis=1)


def _shares(inputs: LossInputs) -> tf.Tensor:
    """One number in [0, 1) per image, ``[B, 1, 1, 1]``, of seed, update and step alone."""
    key = derive(inputs.seed, Purpose.PENALTY, inputs.draw)
    images = tf.shape(inputs.target)[0]
    whole = tf.random.stateless_uniform(
        [images * replicas.count(), 1, 1, 1],
        seed=tf.stack([tf.constant(key, tf.int64), tf.cast(inputs.step, tf.int64)]),
        alg="philox",  # the same on every device; the default depends on it
    )
    return replicas.own_part(whole, images)


def _refuse_batchnorm(discriminator: tf.keras.Model) -> None:
    layers = held_layers(discriminator)
    tied = [x.name for x in layers if isinstance(x, tf.keras.layers.BatchNormalization)]
    if tied:
        raise ConfigError(
            f"disc_gp cannot bound the gradient of a discriminator with batch normalisation "
            f"({', '.join(tied[:3])}): it ties the images of a batch together",
            where="discriminator.norm",
            hint="set it to 'instance', 'spectral' or 'none', or disc_gp to null",
        )


@register(
    "gen_fm",
    "generator",
    needs=FEATURES,
    paper="Wang et al. 2018 (pix2pixHD), feature matching",
    about="Feature matching in the discriminator",
)
def gen_fm(inputs: LossInputs) -> tf.Tensor:
    """Feature matching: mean over D's inner stages of mean |f(x) - f(x̃)|.

    pix2pixHD (Wang et al. 2018, equation 4), which sums over the stages: its weight of 10 for n
    stages is one of 10·n here, where the weight does not depend on D's depth. The truth's
    features are constants; D's answer is not among the features.
    """
    pairs = zip(inputs.features_real, inputs.features_fake, strict=True)
    gaps = [tf.reduce_mean(tf.abs(tf.stop_gradient(real) - fake)) for real, fake in pairs]
    return tf.add_n(gaps) / len(gaps)
