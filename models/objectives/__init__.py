"""The objectives: what a loss term may look at, and the terms themselves.

``registry`` holds :class:`LossInputs` and the table of terms, ``pixel`` the terms that compare
two images, ``perceptual`` the one that does so in what another network sees, ``clouds`` the one
that looks at a mask of clouds too, ``sensors`` those that know the input's sensor or its shifts,
``flow`` those that train a registration,
``adversarial`` those that ask the discriminator; ``routing`` gives a term the bands it is to see,
``weighing`` weights and sums them. Importing any of it fills the table.
"""

from models.objectives import adversarial, clouds, flow, perceptual, pixel, sensors

__all__ = ["adversarial", "clouds", "flow", "perceptual", "pixel", "sensors"]
