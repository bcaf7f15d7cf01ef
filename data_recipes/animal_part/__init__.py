"""Recipe of the dataset `animal_part` for TensorFlow Datasets."""
