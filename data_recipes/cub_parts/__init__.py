"""Recipe of the dataset `cub_parts` for TensorFlow Datasets."""
