"""Images of animals with parts, drawn with NumPy alone."""
