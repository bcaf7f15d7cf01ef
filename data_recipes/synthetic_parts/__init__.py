"""Recipe of the dataset `synthetic_parts` for TensorFlow Datasets."""
