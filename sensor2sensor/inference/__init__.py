"""Exported models over whole products, window by window; needs onnxruntime and no TensorFlow."""
