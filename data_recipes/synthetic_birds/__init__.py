"""Recipe of the dataset `synthetic_birds` for TensorFlow Datasets."""
