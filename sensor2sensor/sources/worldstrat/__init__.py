"""WorldStrat: SPOT 6/7 beside Sentinel-2, as published and as pairs that were cut from it."""
