"""The quality page of a folder of tiles (step 40) and of a data set (steps 50 to 55)."""
