"""tf.data reader, augmentation and normalisation."""
