"""The images with coloured dots, and the networks that find them."""

from ..metrics.dots import dataset, dots, interpretable, network, ordinary

__all__ = ["dataset", "dots", "interpretable", "network", "ordinary"]
