"""tf.data reader, augmentation and normalisation."""

from sensor2sensor.core.notices import require_tensorflow

require_tensorflow()  # says in one line what a light installation lacks
