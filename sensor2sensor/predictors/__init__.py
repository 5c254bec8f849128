"""What turns tiles into predictions: trained generators and baselines, by one Protocol.

Importing this package imports no TensorFlow; the modules do, where they compute.
"""
