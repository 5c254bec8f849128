"""Per-tile metrics as TensorFlow operations."""
