"""One module per model, each with a class GAN, found by name through :mod:`models.loading`.

Importing this package imports no model and no TensorFlow.
"""
