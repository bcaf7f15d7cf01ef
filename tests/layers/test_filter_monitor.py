import numpy as np
from keras import ops

from keras_interp.layers.filter_monitor import FilterFindings, FilterMonitor


def findings(*values):
    return FilterFindings(*map(ops.convert_to_tensor, np.float32(values)))


def test_means_over_batches_under_the_layers_name():
    resets = []
    monitor = FilterMonitor("parts", on_reset=lambda: resets.append(1))
    monitor.reporting = True
    monitor.update_state(findings(1, 2, 3, 4))
    monitor.update_state(findings(3, 4, 5, 8))
    assert {name: float(value) for name, value in monitor.result().items()} == {
        "parts_filter_loss": 2,
        "parts_mutual_information": 3,
        "parts_inter_category_entropy": 4,
        "parts_spatial_entropy": 6,
    }
    monitor.reset_state()
    assert resets == [1]
    assert set(map(float, monitor.result().values())) == {0}


def test_nothing_is_logged_where_nothing_is_measured():
    monitor = FilterMonitor("parts", on_reset=lambda: None)
    assert monitor.result() == {}


def test_half_precision_findings_are_summed_in_float32():
    monitor = FilterMonitor("parts", on_reset=lambda: None)
    values = (ops.cast(value, "float16") for value in (1, 2, 3, 4))
    monitor.update_state(FilterFindings(*values))
    assert ops.convert_to_numpy(monitor.totals).dtype == "float32"
