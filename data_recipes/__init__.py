"""Recipes for TensorFlow Datasets, one folder for each dataset."""
