"""What in a picture made a network say what it says."""

from __future__ import annotations

from keras_interp.attribution.activation_maximization import activation_maximization
from keras_interp.attribution.excitation_backprop import (
    contrastive_excitation_backprop,
    excitation_backprop,
)
from keras_interp.attribution.grad_cam import grad_cam
from keras_interp.attribution.input_gradient import (
    gradient,
    gradient_times_input,
    saliency,
)
from keras_interp.attribution.input_shift import InputShiftReport, input_shift_report
from keras_interp.attribution.integrated_gradients import (
    completeness_error,
    integrated_gradients,
)
from keras_interp.attribution.occlusion import occlusion
from keras_interp.attribution.parameter_randomization import (
    ParameterRandomizationReport,
    parameter_randomization_report,
)
from keras_interp.attribution.part_contributions import (
    PartContributions,
    part_contributions,
)
from keras_interp.attribution.rectified_backprop import deconvnet, guided_backprop
from keras_interp.attribution.smooth_grad import smooth_grad

__all__ = [
    "InputShiftReport",
    "ParameterRandomizationReport",
    "PartContributions",
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
]
