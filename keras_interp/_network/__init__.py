"""The only reader of Keras's insides: layers, graphs, calls and copies of a network."""
