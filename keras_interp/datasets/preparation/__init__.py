"""From a published archive to a folder that `keras_interp.datasets.load` reads."""
