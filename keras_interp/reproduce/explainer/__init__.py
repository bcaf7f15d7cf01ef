"""The explainer network: Zhang, Yang and Wu, 2018."""
