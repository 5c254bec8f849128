"""Step 40: tiles cut from the chosen scenes, with collocated Sentinel-3 pixels."""
