"""The decision tree of an interpretable CNN: Zhang, Yang, Ma and Wu, 2018."""
