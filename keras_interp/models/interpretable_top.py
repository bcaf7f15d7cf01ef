"""The two interpretable layers on top of a trunk of convolutions."""

from __future__ import annotations

from typing import Any

from keras_interp.layers import InterpretableConv, InterpretableMask
from keras_interp.layers.interpretable_mask import MASK_ARGUMENTS

# Zhang, Wu, Zhu (2018) make all the filters of both layers interpretable.
PAPER_FRACTION = 1.0
INTERPRETABLE_CONV_NAME = "conv_interpretable"
INTERPRETABLE_MASK_NAME = "mask_interpretable"


def interpretable_top(
    x: Any, interpretable: bool, interpretable_keywords: dict[str, Any]
) -> Any:
    """Mask the maps `x` and add an interpretable 3x3 convolution of the same width.

    This is the surgery of Zhang, Wu, Zhu (CVPR 2018), section 5; with
    `interpretable=False` the maps come back as they are.
    """
    if not interpretable:
        if interpretable_keywords:
            raise ValueError(
                f"The keywords {sorted(interpretable_keywords)} expect "
                "interpretable=True, got interpretable=False. Set it, or leave them "
                "out."
            )
        return x
    keywords = {"fraction": PAPER_FRACTION, **interpretable_keywords}
    mask = InterpretableMask(name=INTERPRETABLE_MASK_NAME, **mask_keywords(keywords))
    conv = InterpretableConv(
        **{"filters": x.shape[-1], **conv_keywords(keywords)},
        name=INTERPRETABLE_CONV_NAME,
    )
    return conv(mask(x))


def mask_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """Those of an interpretable convolution's keywords that its mask takes."""
    return {key: value for key, value in keywords.items() if key in MASK_ARGUMENTS}


def conv_keywords(keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords of the added convolution: 3x3 that keeps the size of the maps."""
    return {"kernel_size": 3, "padding": "same", **keywords}
