"""The interpretable CNN: Zhang, Wu and Zhu, CVPR 2018."""
