"""The parts of which networks are made; ``models.layers`` is for modules written for ARISGAN."""
