"""Step 50: data sets of records out of the tiles of an inventory."""
