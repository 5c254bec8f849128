"""The objectives: what a loss term may look at, and the terms themselves.

``registry`` holds :class:`LossInputs` and the table of terms, ``pixel`` the terms that compare
two images, ``perceptual`` the one that does so in what another network sees, ``clouds`` the one
that looks at a mask of clouds too, ``adversarial`` those that ask the discriminator; ``weighing``
weights and sums them. Importing any of it fills the table.
"""

from models.objectives import adversarial, clouds, perceptual, pixel

__all__ = ["adversarial", "clouds", "perceptual", "pixel"]
