"""Readers of published datasets with annotated parts."""
