"""Recipe of the dataset `pascal_part` for TensorFlow Datasets."""
