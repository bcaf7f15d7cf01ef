"""Table 1 of the paper on explanation modules."""
