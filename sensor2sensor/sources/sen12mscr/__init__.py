"""Step 53: clear and cloudy Sentinel-2 images with radar, in the layouts of SEN12MS-CR."""
