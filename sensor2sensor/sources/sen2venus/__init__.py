"""Step 54: Sentinel-2 patches and the same ground seen by Venµs at 5 m, from SEN2VENµS."""
