"""The objectives: what a loss term may look at, and the terms themselves.

``registry`` holds :class:`LossInputs` and the table of terms, ``pixel`` the terms that compare
two images, ``adversarial`` those that ask the discriminator. ``models.losses`` weights and sums
them; importing it fills the table.
"""
