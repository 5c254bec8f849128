"""Step 20: which Sentinel-2 scenes a tile has, and which Sentinel-3 products go with them."""
