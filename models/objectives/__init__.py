"""The objectives: what a loss term may look at, and the terms themselves.

``registry`` holds :class:`LossInputs` and the table of terms, ``pixel`` the terms that compare
two images, ``perceptual`` the one that does so in what another network sees, ``clouds`` the one
that looks at a mask of clouds too, ``flow`` those of a registration, ``adversarial`` those that ask the discriminator; ``weighing``
weights and sums them. Importing any of it fills the table.
"""

from models.objectives import adversarial, clouds, flow, perceptual, pixel

__all__ = ["adversarial", "clouds", "flow", "perceptual", "pixel"]
