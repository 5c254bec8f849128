"""The writer of data sets, the same for every source: ``run.write`` is where to start reading."""
