"""The decision tree of a class: from coarse to fine, which filters decide."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_interp.graphs._decision_modes import (
    DecisionModes,
    class_to_explain,
    decision_modes,
    layer_to_explain,
)
from keras_interp.graphs._grown_tree import GrownTree
from keras_interp.graphs._parse_tree import ParseTree
from keras_interp.graphs._tree_arguments import (
    check_depth,
    check_settings,
    positives,
)
from keras_interp.graphs._tree_export import load_arrays
from keras_interp.graphs._tree_scores import (
    DecisionTreeScores,
    heights,
    last_nodes,
    tree_scores,
)
from keras_interp.metrics._layer_maps import find_layer
from keras_interp.metrics._peaks import to_numpy

if TYPE_CHECKING:
    from keras_interp.metrics import FilterNames


class DecisionTree(GrownTree):
    """What a network decides a class by, as a tree of decision modes over its filters.

    In each image the score of the class is about y = g.x + b, with a number in x for
    each filter's map and in g for its gradient. Images of the class whose modes are
    alike are merged, step by step, into nodes: near the root the modes that many images
    share, at the end each image's own. A node keeps the filters that matter (alpha) of
    the mean direction gbar of its images: h(x) = (alpha o gbar).x + b.

    Example:

    ```python
    tree = ki.graphs.DecisionTree()
    tree.fit(model, images)
    tree.predict(images, depth=3)
    print(tree.parse(images[0]).table())
    ```

    Args:
        layer_name: name or path of the layer whose filters decide. Default: the last
            interpretable layer; the last convolution, up to its activation, where there
            is none, with a warning.
        class_index: the class that is explained; `None` for the one that the network
            names most often.
        beta: what a node less is worth in Delta log E; larger gives fewer nodes under
            the root.
        pooling: how the gradient at a map becomes one number: `"weighted"` by the
            activations, so that g.x is what the filters add to the score, or `"mean"`
            over the positions, as in the paper.
        selection: how the filters of a node are chosen: `"lasso"`, the support of a
            Lasso in nodes of more images than filters, while smaller nodes keep the
            filters of the node above; or `None`, all filters.
        penalty: price of a filter, `lambda = penalty * sqrt(images of the node)`. At
            the usual one few filters are left out; raise it to 1, say, for fewer.
        by_size: compare pairs of nodes by their gain for each of their images.
        min_nodes: nodes under the root at which merging stops at the latest.
        max_positives: images of the class that the tree is grown on at most, chosen by
            `seed`; memory grows with their square.
        batch_size: most images that are computed at once.
        seed: of that choice; all else is without chance.
        verbose: 1 shows progress, 0 nothing.

    Attributes:
        structure_: `TreeStructure`, the nodes as arrays, in the order in which they
            were made; the root is the last.
        class_index_: the class.
        layer_name_: the layer.
        filter_parts_: int `(F,)`, place of each filter's part in `part_names_`, -1 for
            none; set by `name_parts`.
        part_names_: names of the parts; set by `name_parts`.

    Reference:
        Zhang, Yang, Ma, Wu, "Interpreting CNNs via Decision Trees", 2018
        (arXiv 1802.00121); Zhang, "A survey on explaining CNNs", section 4.2.
    """

    def __init__(
        self,
        layer_name: str | None = None,
        class_index: int | None = None,
        *,
        beta: float = 1.0,
        pooling: str = "weighted",
        selection: str | None = "lasso",
        penalty: float = 1e-6,
        by_size: bool = False,
        min_nodes: int = 1,
        max_positives: int = 2000,
        batch_size: int = 32,
        seed: int = 0,
        verbose: int = 0,
    ):
        self.layer_name = layer_name
        self.class_index = class_index
        self.beta = beta
        self.pooling = pooling
        self.selection = selection
        self.penalty = penalty
        self.by_size = by_size
        self.min_nodes = min_nodes
        self.max_positives = max_positives
        self.batch_size = batch_size
        self.seed = seed
        self.verbose = verbose

    def fit(self, model: Any, images: Any, labels: Any = None) -> DecisionTree:
        """Grows the tree on what a network says of images.

        Args:
            model: any built Keras model that classifies images.
            images: `(N, height, width, channels)`, as the model takes them: those of
                the class and, better with than without, others.
            labels: `(N,)`. With one output or with booleans positive labels are the
                class, with several outputs those equal to the class. Default: the
                class is what the network says.

        Returns:
            The tree itself.

        Raises:
            ValueError: for a setting or an argument that does not fit, fewer than two
                images of the class, filters that never fire, or gradients that are all
                zero.

        Warns:
            UserWarning: if the layer has no interpretable filters, images are left out
                because the score depends on no filter there, or only
                `max_positives` images of the class are used.
        """
        check_settings(self.get_params())
        layer = layer_to_explain(model, self.layer_name)
        index, logits = class_to_explain(
            model, images, self.class_index, self.batch_size
        )
        positive = positives(labels, len(logits), logits.shape[1], index)
        with warnings.catch_warnings():
            # About the layer, said above.
            warnings.simplefilter("ignore", UserWarning)
            modes = decision_modes(
                model,
                images,
                layer,
                index,
                batch_size=self.batch_size,
                verbose=self.verbose,
            )
        self._grow(modes, positive)
        self.model_, self.outputs_ = model, logits.shape[1]
        self.layer_name_, self.class_index_ = layer, index
        return self

    def fit_modes(self, modes: DecisionModes, labels: Any = None) -> DecisionTree:
        """Grows the tree on decision modes that were computed before.

        Example:

        ```python
        modes = ki.graphs.decision_modes(model, images)
        tree = ki.graphs.DecisionTree(beta=2.0).fit_modes(modes)
        ```

        Args:
            modes: of all images, such as `decision_modes` or `DecisionModes.from_maps`
                gives them.
            labels: `(N,)`, positive for images of the class. Default: those with a
                score above 0.

        Returns:
            The tree itself. It takes modes, not images.

        Raises:
            ValueError: as `fit`.

        Warns:
            UserWarning: as `fit`.
        """
        check_settings(self.get_params())
        self._grow(modes, positives(labels, len(modes), 1, 0))
        self.model_, self.outputs_ = None, 1
        self.layer_name_, self.class_index_ = self.layer_name, self.class_index
        return self

    def read(self, images: Any) -> DecisionModes:
        """Decision modes of images, which every method takes in place of them.

        Args:
            images: `(N, height, width, channels)`, or one image.

        Returns:
            `DecisionModes`.

        Raises:
            ValueError: if the tree was not grown on a network, or is not grown yet.
        """
        self._check_fitted()
        if isinstance(images, DecisionModes):
            modes = images
        elif self.model_ is None:
            raise ValueError(
                "Expected DecisionModes: this tree knows no network. Received: images. "
                "Pass model= to DecisionTree.load, or modes."
            )
        else:
            with warnings.catch_warnings():
                # About the layer, said when the tree was grown.
                warnings.simplefilter("ignore", UserWarning)
                modes = decision_modes(
                    self.model_,
                    images,
                    self.layer_name_,
                    self.class_index_,
                    batch_size=self.batch_size,
                    verbose=self.verbose,
                )
        if modes.filters != len(self.scaling_.scale):
            raise ValueError(
                f"Expected modes of {len(self.scaling_.scale)} filters, those of the "
                f"tree. Received: modes of {modes.filters} filters. Read them with "
                "tree.read, from the network that the tree was grown on."
            )
        return modes

    def predict(
        self, images: Any, depth: int | None = None, *, nodes: int | None = None
    ) -> np.ndarray:
        """The score that the tree gives images at some depth.

        An image goes down from the root, to the child whose w has the greatest cosine
        with its gradient g. h(x) of its last node, times the length that g had, is in
        units of the network's score: above 0 the tree says that it is the class.

        Args:
            images: `(N, height, width, channels)`, or `DecisionModes`.
            depth: steps from the root: 0 is the root's one mode for all, 1 the second
                layer. Default: down to the ends.
            nodes: in place of a depth: the second layer as it was when it had so many
                nodes.

        Returns:
            float `(N,)`; NaN, with a warning, where the score depends on no filter.

        Raises:
            ValueError: if depth or nodes is out of range.

        Warns:
            UserWarning: if some scores depend on no filter.
        """
        self._check_fitted()
        check_depth(depth, nodes)
        known = self.scaling_(self.read(images))
        last = last_nodes(self.structure_, known, depth, nodes)
        without = int((known.lengths == 0.0).sum())
        if without:
            warnings.warn(
                f"{without} of {len(last)} scores depend on no filter of the layer: "
                "the tree predicts NaN there.",
                stacklevel=2,
            )
        return heights(self.structure_, known, last)

    def score(
        self,
        images: Any,
        labels: Any,
        depth: int | None = None,
        *,
        nodes: int | None = None,
    ) -> float:
        """Accuracy of the tree: whether an image is of the class.

        Args:
            images: `(N, height, width, channels)`, or `DecisionModes`.
            labels: `(N,)`, as for `fit`.
            depth: as for `predict`.
            nodes: as for `predict`.

        Returns:
            Share of the images, from 0 to 1.

        Raises:
            ValueError: as `predict`, and for labels of another number.
        """
        predicted = self.predict(images, depth, nodes=nodes)
        positive = self._positives_of(labels, len(predicted))
        return float(np.mean((predicted > 0.0) == positive))

    def parse(self, image: Any, depth: int | None = None) -> ParseTree:
        """How the tree comes to the score of one image, from coarse to fine.

        Args:
            image: `(height, width, channels)`, a batch of one, or `DecisionModes` of
                one image.
            depth: steps from the root at most.

        Returns:
            `ParseTree`: the nodes on the way, and what each filter and part adds.

        Raises:
            ValueError: for several images, or one whose score depends on no filter.
        """
        self._check_fitted()
        if not isinstance(image, DecisionModes) and np.ndim(image) == 3:
            image = to_numpy(image)[None]
        modes = self.read(image)
        if len(modes) != 1:
            raise ValueError(
                f"Expected one image. Received: {len(modes)}. Parse them one by one."
            )
        known = self.scaling_(modes)
        if known.lengths[0] == 0.0:
            raise ValueError(
                "Expected an image whose score depends on the filters. Received: one "
                f"with all gradients zero at layer {self.layer_name_!r}. There is "
                "nothing to explain by them."
            )
        check_depth(depth, None)
        path = self.structure_.descend(known.gradients, depth)[0]
        return ParseTree.of(
            self.structure_,
            known,
            path,
            float(modes.scores[0]),
            getattr(self, "filter_parts_", None),
            getattr(self, "part_names_", None),
        )

    def name_parts(
        self, filter_parts: FilterNames | Any, part_names: Sequence[str] | None = None
    ) -> DecisionTree:
        """Says which object part each filter stands for.

        Example:

        ```python
        tree = ki.graphs.DecisionTree().fit(model, images)
        tree.name_parts(np.arange(8) % 2, ["head", "tail"])
        print(tree.parse(images[0]).table())
        ```

        Args:
            filter_parts: what `keras_interp.metrics.name_filters` gave for the filters
                of the layer, or int `(F,)`, the place of each filter's part, -1 for
                none.
            part_names: names of the parts, where `filter_parts` is an array.

        Returns:
            The tree itself.

        Raises:
            ValueError: if there is no part for each filter, or no name for each part.
        """
        self._check_fitted()
        names = getattr(filter_parts, "part_names", part_names)
        parts = to_numpy(getattr(filter_parts, "part", filter_parts))
        count = len(self.scaling_.scale)
        whole = parts.dtype.kind in "iu" and parts.shape == (count,)
        if names is None or not whole or np.any(parts >= len(names)):
            raise ValueError(
                f"Expected the place of a part for each of {count} filters, and a name "
                f"for each part. Received: filter_parts={parts!r} and part_names="
                f"{names!r}. Pass what ki.metrics.name_filters gives."
            )
        self.filter_parts_ = np.maximum(parts, -1).astype(int)
        self.part_names_ = tuple(str(name) for name in names)
        return self

    def measure(
        self,
        images: Any,
        labels: Any = None,
        depths: Sequence[int | None] = (1, None),
        *,
        part_effects: Any = None,
        constant: float | None = None,
    ) -> DecisionTreeScores:
        """How well the tree stands for the network, at several depths.

        Example:

        ```python
        tree = ki.graphs.DecisionTree().fit(model, images)
        scores = tree.measure(images, depths=[1, 4, 9, None])
        print(scores.table())
        ```

        Args:
            images: `(N, height, width, channels)`, or `DecisionModes`; images that the
                tree was not grown on, to be honest.
            labels: `(N,)`, as for `fit`; without them no accuracy is measured.
            depths: steps from the root; `None` is the end.
            part_effects: float `(N, parts)`, what the score loses without the filters
                of each part, as `part_effects` gives it; needs `name_parts`.
            constant: the score that a tree without knowledge would predict. Default:
                the mean score of these images.

        Returns:
            `DecisionTreeScores`.

        Raises:
            ValueError: if a depth is out of range or shapes do not fit.
        """
        self._check_fitted()
        for depth in depths:
            check_depth(depth, None)
        modes = self.read(images)
        return tree_scores(
            self.structure_,
            self.scaling_(modes),
            modes.scores,
            depths,
            positive=None if labels is None else self._positives_of(labels, len(modes)),
            part_effects=part_effects,
            filter_parts=getattr(self, "filter_parts_", None),
            part_names=getattr(self, "part_names_", ()),
            constant=constant,
            seed=self.seed,
        )

    def prune(
        self,
        depth: int | None = None,
        *,
        nodes: int | None = None,
        min_images: int = 1,
    ) -> DecisionTree:
        """A smaller tree: nodes are the ends from which on it says no more.

        Args:
            depth: steps from the root at most.
            nodes: nothing finer than the second layer when it had so many nodes.
            min_images: a node of fewer positive images is not divided.

        Returns:
            A new `DecisionTree`; this one stays as it is.

        Raises:
            ValueError: if a number is out of range.
        """
        self._check_fitted()
        check_depth(depth, nodes, both=True)
        tree = copy.copy(self)
        tree.structure_ = self.structure_.pruned(depth, nodes, min_images)
        return tree

    @classmethod
    def load(cls, path: str | Path, model: Any = None) -> DecisionTree:
        """Reads a tree that `save` wrote; no code in the file is run.

        Args:
            path: of the file.
            model: the network, to read images with; without it the tree takes
                `DecisionModes`.

        Returns:
            The tree.

        Raises:
            ValueError: if the file is no tree, or the model has no such layer.
            FileNotFoundError: if there is none.
        """
        settings, arrays = load_arrays(Path(path))
        tree = cls(**settings)
        for name, value in arrays.items():
            setattr(tree, name, value)
        if model is not None:
            # Refused at once where there is no such layer.
            find_layer(model, tree.layer_name_)
        tree.model_ = model
        return tree

    def _positives_of(self, labels: Any, count: int) -> np.ndarray:
        positive = positives(labels, count, self.outputs_, self.class_index_ or 0)
        if positive is None:
            raise ValueError(
                "Expected labels. Received: labels=None. Pass one for each image."
            )
        return positive
