"""JSON with comments, environment and selection schemas, and the names of losses and metrics."""
