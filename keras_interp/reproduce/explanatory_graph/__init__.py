"""The explanatory graph's tables: nodes beside the filters that they come from."""
