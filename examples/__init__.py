"""The main job, driven through the same doors a user calls."""
