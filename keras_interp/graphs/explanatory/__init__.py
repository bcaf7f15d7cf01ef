"""The explanatory graph of Zhang, Cao, Shi, Wu and Zhu, AAAI 2018."""
