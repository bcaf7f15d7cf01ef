"""What the methods share in their arguments: texts, written once, and progress."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np

Documented = TypeVar("Documented", bound=Callable[..., Any])

WIDTH = 84
# The text of each argument; in a docstring `{model}` stands for it.
TEXTS = {
    "model": """any built Keras model: functional, Sequential, nested, subclassed. It is
        run in inference mode and not changed. Its images have the channels last.""",
    "images": """`(batch, height, width, channels)`, as the model wants them, in numbers
        that it was trained on. Integers, which datasets give, become float32 with the
        same numbers. One image `(height, width, channels)` or `(height, width)`, a PIL
        image, the path of an image file, or a list of these becomes a batch; a PIL
        image or a file gives numbers from 0 to 255. For a model of several inputs: a
        list, tuple or dict of its inputs.""",
    "class_index": """class to explain, an integer or one for each image; `None` for the
        class of highest score. The score is the logit: a softmax or sigmoid at the end
        of the model is looked through. A model of one score, of a single sigmoid unit
        say, has the class 0 alone.""",
    "filter_layer": """explains a filter of this layer (name, or path such as
        `"backbone/conv5"`) in place of a class. `class_index` then counts filters, and
        the score is the filter's largest activation in the image. Default: a class is
        explained.""",
    "batch_size": "most images that are computed at once.",
    "batch_of_copies": """most images that are computed at once, every copy of an image
        counted.""",
    "call_index": """which call of the layer `layer_name`, where the model calls it
        several times, from 0. Default: the only one.""",
    "output_index": """which output of a model with several is explained: position or
        name. Default: the only one.""",
    "input_index": """which input of a model with several is the image: position or key.
        Default: the only one of shape `(batch, height, width, channels)`.""",
    "resize": """whether the maps are enlarged bilinearly to the size of the images.
        `False` gives them in the resolution of the layer.""",
    "verbose": """0 is silent (the default), 1 shows a progress bar from the start, 2
        writes one line at the end.""",
    "methods": """names of methods of this package, or a dict of functions that take a
        model, its inputs and a class for each image, and give maps.""",
    "raises": """before anything is computed, for images of a wrong shape or that are
        not finite, a class out of range, a layer that does not exist or that is called
        several times, several outputs of which none is chosen, or a model that reads
        its images with the channels first.""",
}
_PLACE = re.compile(r"\{(" + "|".join(TEXTS) + r")\}")


def filled(docstring: str) -> str:
    """A docstring with the texts of the shared arguments in their places.

    Args:
        docstring: in which `{model}`, say, stands for a text.

    Returns:
        The docstring without the indentation of the code, the changed lines wrapped.
    """
    lines = []
    for line in inspect.cleandoc(docstring).split("\n"):
        text = _PLACE.sub(lambda found: " ".join(TEXTS[found[1]].split()), line)
        if text != line:
            indent = " " * (len(line) - len(line.lstrip()))
            # What goes on below the name of an argument or error stands further in.
            hang = " " * 4 if re.match(r"\s*\w+: ", line) else ""
            text = textwrap.fill(
                text.strip(),
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + hang,
                break_long_words=False,
                break_on_hyphens=False,
            )
        lines.append(text)
    return "\n".join(lines)


def with_shared_arguments(function: Documented) -> Documented:
    """Decorator that writes the shared arguments into the docstring in full."""
    if function.__doc__:
        function.__doc__ = filled(function.__doc__)
    return function


def is_number(value: Any) -> bool:
    """Whether it is one finite real number."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and bool(np.isfinite(value))


class Progress:
    """The progress bar of a long call.

    Example:

    ```python
    progress = Progress(len(images), verbose=1)
    for image in images:
        ...
        progress.advance(1)
    ```

    Args:
        total: how much there is to do.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
        unit: what is counted.

    Raises:
        ValueError: for another `verbose`.
    """

    def __init__(self, total: int, verbose: Any, unit: str = "image"):
        if verbose not in (0, 1, 2):
            raise ValueError(
                "Expected verbose as 0 (silent), 1 (a bar) or 2 (a line at the end). "
                f"Received: verbose={verbose!r}. Choose one of them."
            )
        self._done = 0
        self._bar = None
        if verbose and total:
            self._bar = keras.utils.Progbar(total, verbose=verbose, unit_name=unit)
            # Shown before the first result, which waits for the compiler.
            self._bar.update(0)

    def of_copies(self, chunk: slice) -> Callable[[int], None]:
        """What tells of a batch of images, each computed in the copies of a chunk."""
        return lambda images: self.advance(images * (chunk.stop - chunk.start))

    def advance(self, count: int, **values: float) -> None:
        """Say that so much more is done.

        Args:
            count: in units.
            **values: figures to show beside the bar.
        """
        self._done += count
        if self._bar is not None:
            self._bar.update(self._done, [*values.items()])
