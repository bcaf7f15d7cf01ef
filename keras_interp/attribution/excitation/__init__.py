"""Excitation backpropagation: the rules of the layers, and the way down by them."""
