"""The decoder of InterpNet: two LSTM layers, of which the second sees the network."""

from __future__ import annotations

import functools
import random
from typing import Any

import keras
from keras import ops

from keras_interp import _backend
from keras_interp.layers._normalized_columns import NormalizedColumns


@keras.saving.register_keras_serializable(package="keras_interp")
class ExplanationLSTM(keras.layers.Layer):
    """Scores of the next word of a sentence, given the words before it and a vector.

    The wiring of LRCN-2f as InterpNET's code has it, with `w_t` the words, `r` the
    vector:

        e_t  = Embedding(w_t)
        h1_t = LSTM1(e_t)
        u_t  = [h1_t, r] W1 + b1
        h2_t = LSTM2(u_t)
        o_t  = h2_t W2 + b2

    In training a share of the outputs of each LSTM is dropped; what an LSTM remembers
    is not. What is the same at all steps, `r W1`, is computed once a sentence, and
    what depends on no earlier step in one product for all steps. With a GPU the LSTMs
    are those of cuDNN.

    Example:

    ```python
    decoder = ki.layers.ExplanationLSTM(vocabulary_size=30, units=8, embedding_dim=4)
    words = np.array([[0, 5, 9], [0, 7, 2]])  # each begins with the start
    logits = decoder([words, np.random.rand(2, 20)])
    print(logits.shape)  # (2, 3, 30)
    ```

    Args:
        vocabulary_size: number of words that there are.
        units: of each LSTM. Defaults to 512.
        embedding_dim: numbers that stand for a word. Defaults to 256.
        projection: length of `u_t`. None joins `h1_t` and `r` as the paper writes it,
            without W1. Defaults to 512, as the paper's code.
        dropout: share of the outputs of each LSTM that is dropped in training.
            Defaults to 0.2.
        seed: of the initial weights and of the dropout. None (default) follows
            `keras.utils.set_random_seed`.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        inputs: two tensors: integers `(batch, steps)`, the words before each step, of
            which the first is the start of the sentence; and `(batch, features)`.
        training: whether outputs are dropped.

    Returns:
        Logits `(batch, steps, vocabulary_size)`.

    Raises:
        ValueError: for a number that is no positive integer, a dropout that is not in
            [0, 1), or inputs of other shapes.

    Reference:
        Barratt, "InterpNET: Neural Introspection for Interpretable Deep Learning",
        2017, section 2.3, and its released code; Donahue et al., "Long-term Recurrent
        Convolutional Networks", 2015, figure 3, LRCN-2f.
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int = 512,
        embedding_dim: int = 256,
        projection: int | None = 512,
        dropout: float = 0.2,
        *,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        sizes = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "embedding_dim": embedding_dim,
        }
        if projection is not None:
            sizes["projection"] = projection
        for name, value in sizes.items():
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ValueError(
                    f"Expected {name} as a positive integer. Received: {name}="
                    f"{value!r}. Give such a number."
                )
        if not isinstance(dropout, int | float) or not 0.0 <= dropout < 1.0:
            raise ValueError(
                "Expected dropout as a share from 0 to below 1. Received: "
                f"dropout={dropout!r}. Pass 0.2, or 0 for none."
            )
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.embedding_dim = embedding_dim
        self.projection = projection
        self.dropout = dropout
        self.seed = seed
        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding_dim,
            embeddings_initializer=keras.initializers.RandomUniform(
                -1.0, 1.0, seed=self._seed(0)
            ),
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.first, self.second = (self._lstm(number) for number in (1, 2))
        self.drops = [
            keras.layers.Dropout(
                dropout,
                seed=self._seed(4 + n),
                dtype=self.dtype_policy,
                name=f"drop_{n}",
            )
            for n in (1, 2)
        ]

    def _seed(self, number: int) -> int | None:
        """A seed of its own for each weight."""
        return None if self.seed is None else self.seed + 1000 * number

    def _lstm(self, number: int) -> keras.layers.LSTM:
        return keras.layers.LSTM(
            self.units,
            return_sequences=True,
            kernel_initializer=keras.initializers.GlorotUniform(self._seed(number)),
            recurrent_initializer=keras.initializers.GlorotUniform(
                self._seed(10 + number)
            ),
            dtype=self.dtype_policy,
            name=f"lstm_{number}",
        )

    hidden_kernel: Any
    context_kernel: Any

    def build(self, input_shape: Any) -> None:
        features = _checked_shapes(input_shape)
        units = self.units
        self.embedding.build((None, None))
        self.first.build((None, None, self.embedding_dim))
        if self.projection is None:
            self.second.build((None, None, units + features))
        else:
            self.second.build((None, None, self.projection))
            # One matrix, whose columns are of length 1, in the two parts that are used
            # apart: the second once a sentence.
            seed = self._seed(6) or random.randint(1, 10**9)
            whole = (units + features, self.projection)
            for name, rows in (
                ("hidden_kernel", slice(None, units)),
                ("context_kernel", slice(units, None)),
            ):
                weight = self._weight(
                    name,
                    (len(range(*rows.indices(whole[0]))), self.projection),
                    functools.partial(_rows_of_columns, whole, rows, seed),
                )
                setattr(self, name, weight)
            self.context_bias = self._weight(
                "context_bias", (self.projection,), "zeros"
            )
        self.output_kernel = self._weight(
            "output_kernel",
            (units, self.vocabulary_size),
            NormalizedColumns(seed=self._seed(7)),
        )
        self.output_bias = self._weight("output_bias", (self.vocabulary_size,), "zeros")

    def _weight(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    # All steps at once ------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        words, context = inputs
        # Times 1, so that the gradient of a table's rows comes as a whole table: where
        # TensorFlow gives rows, Adam in Keras 3.15 takes a word that comes twice for
        # two words.
        table = self.embedding.embeddings * 1.0
        embedded = ops.take(table, ops.cast(words, "int32"), axis=0)
        first = self.drops[0](self._sequence(self.first, embedded), training=training)
        same = self.context_term(ops.cast(context, self.compute_dtype))[:, None]
        if self.projection is None:
            second = self._scanned(self.second, self._first_into_second(first) + same)
        else:
            projected = _product(first, self.hidden_kernel) + same
            second = self._sequence(self.second, projected)
        second = self.drops[1](second, training=training)
        return _product(second, self.output_kernel) + self.output_bias

    def context_term(self, context: Any) -> Any:
        """What the vector adds at every step, computed once.

        Args:
            context: `(batch, features)`, r.

        Returns:
            `(batch, projection)`, `r W1 + b1`; without a projection what it adds inside
            the second LSTM.
        """
        if self.projection is None:
            kernel = self.second.cell.kernel[self.units :]
            return ops.matmul(context, kernel) + self.second.cell.bias
        return ops.matmul(context, self.context_kernel) + self.context_bias

    def _first_into_second(self, first: Any) -> Any:
        return _product(first, self.second.cell.kernel[: self.units])

    def _sequence(self, lstm: keras.layers.LSTM, inputs: Any) -> Any:
        """Outputs of an LSTM at all steps, `(batch, steps, units)`."""
        if _backend.has_gpu():
            return lstm(inputs)
        return self._scanned(lstm, _product(inputs, lstm.cell.kernel) + lstm.cell.bias)

    def _scanned(self, lstm: keras.layers.LSTM, inputs: Any) -> Any:
        """Outputs of an LSTM from its inputs' part of the gates."""
        recurrent = ops.cast(lstm.cell.recurrent_kernel, inputs.dtype)

        def step(state: Any, gates: Any) -> Any:
            state = _next_state(state, gates, recurrent)
            # `scan` wants results like the state.
            return state, state

        zeros = ops.zeros_like(inputs[:, 0, : self.units])
        gates = ops.transpose(inputs, (1, 0, 2))
        _, (outputs, _) = ops.scan(step, (zeros, zeros), gates)
        return ops.transpose(outputs, (1, 0, 2))

    # One step ---------------------------------------------------------------------

    def initial_state(self, batch_size: Any) -> list[Any]:
        """The state before the first word: zeros.

        Args:
            batch_size: number of sentences.

        Returns:
            List of four tensors `(batch_size, units)`.
        """
        dtype = self.variable_dtype
        return [ops.zeros((batch_size, self.units), dtype) for _ in range(4)]

    def step(self, words: Any, context_term: Any, state: Any) -> tuple[Any, list[Any]]:
        """Scores of the next word after one more word, without dropout.

        Args:
            words: integers `(batch,)`, the last words; the start at the first step.
            context_term: what `context_term` gives for the vectors.
            state: what the step before gave, or `initial_state`.

        Returns:
            Logits `(batch, vocabulary_size)` in float32, and the next state.
        """
        embedded = ops.take(self.embedding.embeddings, words, axis=0)
        cell = self.first.cell
        gates = ops.matmul(embedded, cell.kernel) + cell.bias
        first = _next_state(state[:2], gates, cell.recurrent_kernel)
        cell = self.second.cell
        if self.projection is None:
            gates = self._first_into_second(first[0]) + context_term
        else:
            projected = ops.matmul(first[0], self.hidden_kernel) + context_term
            gates = ops.matmul(projected, cell.kernel) + cell.bias
        second = _next_state(state[2:], gates, cell.recurrent_kernel)
        logits = ops.matmul(second[0], self.output_kernel) + self.output_bias
        return ops.cast(logits, "float32"), [*first, *second]

    # What Keras asks --------------------------------------------------------------

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[0], self.vocabulary_size)

    def get_config(self) -> dict[str, Any]:
        names = ("vocabulary_size", "units", "embedding_dim", "projection", "dropout")
        own = {name: getattr(self, name) for name in (*names, "seed")}
        return {**super().get_config(), **own}


def _rows_of_columns(
    whole: tuple[int, int], rows: slice, seed: int, shape: Any, dtype: Any = None
) -> Any:
    """Initial weights of some rows of a matrix with columns of length 1."""
    return NormalizedColumns(seed=seed)(whole, dtype)[rows]


def _next_state(state: Any, gates: Any, recurrent: Any) -> tuple[Any, Any]:
    """Output and memory of an LSTM; gates in Keras's order: in, forget, new, out."""
    output, memory = state
    gates = gates + ops.matmul(output, recurrent)
    let_in, keep, new, let_out = ops.split(gates, 4, axis=-1)
    memory = ops.sigmoid(keep) * memory + ops.sigmoid(let_in) * ops.tanh(new)
    return ops.sigmoid(let_out) * ops.tanh(memory), memory


def _product(inputs: Any, kernel: Any) -> Any:
    """Product with the last axis, as one of two matrices: a product of stacks of them
    would sum the kernel's gradient over the stack."""
    if len(inputs.shape) == 2:
        return ops.matmul(inputs, kernel)
    flat = ops.matmul(ops.reshape(inputs, (-1, inputs.shape[-1])), kernel)
    sizes = ops.shape(inputs)
    return ops.reshape(flat, (sizes[0], sizes[1], kernel.shape[-1]))


def _checked_shapes(shapes: Any) -> int:
    """Number of features."""
    pair = isinstance(shapes, list | tuple) and len(shapes) == 2
    if not pair or not all(isinstance(one, list | tuple) for one in shapes):
        raise ValueError(
            "Expected two inputs: words (batch, steps) and a vector (batch, features). "
            f"Received: shapes {shapes}. Call layer([words, context])."
        )
    words, context = shapes
    if len(words) != 2 or len(context) != 2 or context[1] is None:
        raise ValueError(
            "Expected words (batch, steps) and a vector (batch, features). Received: "
            f"shapes {tuple(words)} and {tuple(context)}. Flatten or average maps."
        )
    return int(context[1])
