"""sensor2sensor: image translation between satellite sensors, from archive to generator."""

from sensor2sensor.core.versions import __version__

__all__ = ["__version__"]
