"""sensor2sensor: image translation between satellite sensors, from archive to generator."""
