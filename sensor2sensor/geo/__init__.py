"""Grids, footprints, masks, collocation and image shift."""
