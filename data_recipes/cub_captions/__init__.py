"""Recipe of the dataset `cub_captions` for TensorFlow Datasets."""
