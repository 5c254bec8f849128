"""The parts of which networks are made; ``models.layers`` hands them all on."""
