"""sensor2sensor: image translation between satellite sensors, from archive to generator."""

from sensor2sensor.core.early import answer_interrupts
from sensor2sensor.core.versions import __version__

answer_interrupts()  # here, before all that takes time: what comes first in every program of ours

__all__ = ["__version__"]
