"""What a model is applied to: products, stacks and pictures, each as windows of one grid.

A scene gives the records that the data set of its kind would hold of the same ground, so that
trained networks, baselines and exported files are all given what they know. Free of TensorFlow.
"""
