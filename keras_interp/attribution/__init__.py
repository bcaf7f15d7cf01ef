"""What in an image made a network say what it says."""

from __future__ import annotations

from keras_interp.attribution._activation_maximization import activation_maximization
from keras_interp.attribution._grad_cam import grad_cam
from keras_interp.attribution._gradients import (
    gradient,
    gradient_times_input,
    saliency,
)
from keras_interp.attribution._guided import deconvnet, guided_backprop
from keras_interp.attribution._integrated_gradients import (
    completeness_error,
    integrated_gradients,
)
from keras_interp.attribution._occlusion import occlusion
from keras_interp.attribution._part_contributions import (
    PartContributions,
    part_contributions,
)
from keras_interp.attribution._smooth_grad import smooth_grad
from keras_interp.attribution.excitation._backprop import (
    contrastive_excitation_backprop,
    excitation_backprop,
)
from keras_interp.attribution.excitation._x_features import (
    XFeatureMaps,
    unit_maps,
    x_feature_maps,
)
from keras_interp.attribution.sanity._input_shift import (
    InputShiftReport,
    input_shift_report,
)
from keras_interp.attribution.sanity._parameter_randomization import (
    ParameterRandomizationReport,
    parameter_randomization_report,
)

__all__ = [
    "InputShiftReport",
    "ParameterRandomizationReport",
    "PartContributions",
    "XFeatureMaps",
    "activation_maximization",
    "completeness_error",
    "contrastive_excitation_backprop",
    "deconvnet",
    "excitation_backprop",
    "grad_cam",
    "gradient",
    "gradient_times_input",
    "guided_backprop",
    "input_shift_report",
    "integrated_gradients",
    "occlusion",
    "parameter_randomization_report",
    "part_contributions",
    "saliency",
    "smooth_grad",
    "unit_maps",
    "x_feature_maps",
]

for _name in __all__:
    # Pages, pickles and messages name where it is public, not the file it is in.
    globals()[_name].__module__ = __name__
del _name


def __dir__() -> list[str]:
    return __all__
