"""Place and extent, in pixels, of what the units of a layer see."""

from keras_interp.receptive_fields._field import ReceptiveField, receptive_field

__all__ = ["ReceptiveField", "receptive_field"]

# The docs, `help` and pickles name what is public by its public place.
for _name in __all__:
    globals()[_name].__module__ = "keras_interp"
del _name


def __dir__() -> list[str]:
    return sorted(__all__)
