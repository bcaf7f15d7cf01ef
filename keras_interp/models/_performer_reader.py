"""A model that reads another one, and leaves that as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class PerformerReader(_Model):
    """What a model adds to `keras.Model` that learns, around a performer that does not.

    It is no `keras.Model` itself: Keras turns the bases of a functional model into
    functional ones, for all classes that share them.

    Attributes:
        performer: The model that is read. Its layers lie in this one, but neither its
            variables nor its metrics count as this model's own.
    """

    performer: Any

    @property
    def trainable_variables(self) -> list[Any]:
        """Its own; none of the performer's, whatever their flags say."""
        return self._without_performer(super().trainable_variables)

    @property
    def trainable_weights(self) -> list[Any]:
        """The same; Keras leaves metrics and seeds out of both."""
        return self._without_performer(super().trainable_weights)

    @property
    def non_trainable_variables(self) -> list[Any]:
        """All other variables, the performer's among them."""
        learnt = {id(variable) for variable in self.trainable_variables}
        return [v for v in self.variables if id(v) not in learnt]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """All other variables but metrics and seeds, the performer's among them."""
        learnt = {id(variable) for variable in self.trainable_weights}
        return [v for v in self.weights if id(v) not in learnt]

    @property
    def metrics(self) -> list[Any]:
        """Its own: to reset the performer's would change its state."""
        performer = getattr(self, "performer", None)
        theirs = {id(metric) for metric in performer.metrics} if performer else set()
        return [metric for metric in super().metrics if id(metric) not in theirs]

    def _without_performer(self, variables: list[Any]) -> list[Any]:
        performer = getattr(self, "performer", None)
        frozen = {id(v) for v in performer.variables} if performer else set()
        return [v for v in variables if id(v) not in frozen]
