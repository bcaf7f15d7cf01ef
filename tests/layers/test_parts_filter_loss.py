"""`filter_loss="parts"`: filters of one layer that follow different parts."""

import logging

import keras
import numpy as np
import pytest
from keras import ops

import keras_interp as ki
from keras_interp.layers import _part_places
from keras_interp.layers._part_places import PartPlaces
from keras_interp.layers._part_search import agreement_of_filters

SIDE = 12
# Of a drawn object: the place of each part in its own frame, in cells.
PARTS = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 2.0], [6.0, 0.0]])


def planted(rng, count, facings=2):
    """Maps with an object of four parts, turned and mirrored, on half of the images."""
    maps = rng.normal(0, 0.3, (count, SIDE, SIDE, 6))
    labels = (np.arange(count) % 2 == 0).astype("float32")
    where = np.zeros((count, len(PARTS), 2), int)
    rows, columns = np.indices((SIDE, SIDE))
    for image in range(count):
        angle = rng.uniform(-0.5, 0.5) + np.pi * rng.integers(facings)
        side = 1.0 if np.cos(angle) > 0 else -1.0
        axes = np.array([[np.cos(angle), np.sin(angle)], [0, 0]])
        axes[1] = side * np.array([axes[0, 1], -axes[0, 0]])
        spots = (PARTS - PARTS.mean(axis=0)) @ axes + SIDE / 2
        where[image] = np.round(spots).astype(int)
        if not labels[image]:
            continue
        for part, (column, row) in enumerate(where[image]):
            squares = (rows - row) ** 2 + (columns - column) ** 2
            near = np.exp(-squares / 3.0)
            # The first part is the brightest, and the easiest to learn.
            maps[image, :, :, part] += (6.0 if part == 0 else 3.0) * near
            maps[image, :, :, 4] += 1.5 * near
    return maps.astype("float32"), labels, where


def network(filters=16, kind=ki.models.InterpretableModel, layers=1, **keywords):
    maps = inputs = keras.Input((SIDE, SIDE, 6))
    for index in range(layers):
        maps = ki.InterpretableConv(
            filters,
            3,
            padding="same",
            filter_loss="parts",
            name=f"parts_{index}",
            **{"fraction": 1.0, **keywords},
        )(maps)
    pooled = keras.layers.GlobalMaxPooling2D()(maps)
    model = kind(inputs, keras.layers.Dense(1, activation="sigmoid")(pooled))
    # A few batches take less time than tracing a graph for them.
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", run_eagerly=True)
    return model


def find(places, *arrays):
    """The places that are found while the state learns."""
    return places.find(*map(ops.convert_to_tensor, arrays), True)


def agreement(*arrays):
    return agreement_of_filters(*map(ops.convert_to_tensor, arrays), 13, 13)


def state_of(model, index=0):
    return model.get_layer(f"parts_{index}").interpretable_mask._places


@pytest.fixture
def hurried(monkeypatch, soon):
    """All steps of the search within twelve batches, whatever the anchor finds."""
    monkeypatch.setattr(_part_places, "LEAST_AGREEMENT", 0.0)


@pytest.fixture
def soon(monkeypatch):
    """All steps of the search within twelve batches, where the anchor is found."""
    for name, batch in (
        ("LAYOUT_FROM", 3.0),
        ("PLACES_FROM", 6.0),
        ("APPEARANCE_FROM", 9.0),
        ("POSE_FROM", 12.0),
    ):
        monkeypatch.setattr(_part_places, name, batch)


@pytest.mark.slow
def test_filters_end_on_different_planted_parts(rng, monkeypatch):
    # Four parts that are as easy as each other: the anchor need not be agreed on.
    monkeypatch.setattr(_part_places, "LEAST_AGREEMENT", 0.0)
    keras.utils.set_random_seed(1)
    maps, labels, where = planted(rng, 192)
    model = network(20)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", jit_compile=False)
    model.fit(maps, labels, epochs=35, batch_size=32, verbose=0)
    shown = labels == 1
    layer = model.get_layer("parts_0")
    found = ops.convert_to_numpy(layer.feature_maps(maps[shown]))
    peaks = found.reshape(len(found), -1, 20).argmax(axis=1)
    peaks = np.stack([peaks % SIDE, peaks // SIDE], axis=-1)
    distance = np.abs(peaks[:, :, None] - where[shown][:, None]).max(axis=-1)
    hits = (distance <= 1).mean(axis=0)
    followed = {part for part in range(4) if hits[:, part].max() > 0.7}
    assert len(followed) >= 3, hits.max(axis=0)
    # None is silent because it is sure of no single cell.
    assert (found.max(axis=(1, 2)) > 0).mean(axis=0).min() > 0.5


@pytest.mark.parametrize("facings", [1, 2], ids=["one facing", "both facings"])
def test_places_are_found_where_they_were_planted(rng, facings):
    maps, labels, where = planted(rng, 48, facings)
    places = PartPlaces(4)
    places.prepare(SIDE, SIDE, 6)
    vote = np.zeros((48, SIDE * SIDE), "float32")
    vote[np.arange(48), where[:, 0, 1] * SIDE + where[:, 0, 0]] = 1.0
    found = find(places, maps, vote, labels)
    # The centres are the planted ones: what is left to find is each object's frame.
    length = float(ops.convert_to_numpy(places.length))
    assert 2.0 < length < 5.0
    places.steps.assign(200.0)
    places.centres.assign(PARTS)
    for _ in range(25):
        found = find(places, maps, vote, labels)
    cells = ops.convert_to_numpy(found.cells)[labels == 1]
    at = np.stack([cells % SIDE, cells // SIDE], axis=-1)
    distance = np.abs(at - where[labels == 1]).max(axis=-1)
    assert (distance <= 1).mean() > 0.9


def test_nothing_is_pulled_before_the_places_are_laid_out(rng, hurried):
    maps, labels, _ = planted(rng, 32)
    model = network()
    logs = model.fit(maps, labels, epochs=12, batch_size=32, verbose=0).history
    loss = np.array(logs["parts_0_filter_loss"])
    # A uniform answer over 144 cells and nowhere costs about log 145 = 5 on targets,
    # and as much again on others.
    assert (loss[:6] < 1).all()
    assert loss[6] > 3


@pytest.mark.slow
def test_a_file_goes_on_as_the_training_would_have(rng, hurried, tmp_path):
    maps, labels, _ = planted(rng, 32)
    keras.utils.set_random_seed(0)
    model = network(layers=2)
    fit = {"batch_size": 16, "verbose": 0, "shuffle": False}
    model.fit(maps, labels, epochs=5, **fit)
    model.save(tmp_path / "model.keras")
    model.fit(maps, labels, epochs=8, initial_epoch=5, **fit)
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert float(state_of(again).steps.numpy()) == 10
    again.fit(maps, labels, epochs=8, initial_epoch=5, **fit)
    for one, other in zip(model.variables, again.variables, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other), atol=1e-5
        )


def test_the_second_layer_takes_the_places_of_the_first(rng, hurried):
    maps, labels, _ = planted(rng, 32)
    model = network(layers=2)
    logs = model.fit(maps, labels, epochs=8, batch_size=32, verbose=0).history
    assert float(state_of(model, 0).steps.numpy()) == 8
    assert float(state_of(model, 1).steps.numpy()) == 0
    assert logs["parts_1_filter_loss"][-1] > 3


def test_without_labels_it_goes_by_response(rng, hurried):
    maps, labels, _ = planted(rng, 32)
    model = network(kind=keras.Model)
    logs = model.fit(maps, labels, epochs=10, batch_size=32, verbose=0).history
    # Not every batch has an image to which the anchor answers strongly.
    assert float(state_of(model).steps.numpy()) > 3
    assert np.isfinite(logs["loss"]).all()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"jit_compile": True}, marks=pytest.mark.slow),
        {"jit_compile": False},
    ],
    ids=str,
)
def test_compiled_or_not(rng, hurried, options):
    if options["jit_compile"] and keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles with a toolchain of its own")
    maps, labels, _ = planted(rng, 16)
    model = network(8)
    model.compile("sgd", "binary_crossentropy", **options)
    logs = model.fit(maps, labels, epochs=7, batch_size=16, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert float(state_of(model).steps.numpy()) == 7


def test_mixed_precision(rng, hurried):
    maps, labels, _ = planted(rng, 16)
    model = network(8, dtype="mixed_float16")
    logs = model.fit(maps, labels, epochs=14, batch_size=16, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert {v.dtype for v in state_of(model).variables} == {"float32"}


def test_a_frozen_layer_learns_nothing(rng, hurried):
    maps, labels, _ = planted(rng, 16)
    model = network(8)
    model.get_layer("parts_0").trainable = False
    model.compile("sgd", "binary_crossentropy")
    logs = model.fit(maps, labels, epochs=2, batch_size=16, verbose=0).history
    assert float(state_of(model).steps.numpy()) == 0
    assert "parts_0_filter_loss" not in logs


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("objects alone", marks=pytest.mark.slow),
        pytest.param("background alone", marks=pytest.mark.slow),
        "one each",
    ],
)
def test_images_of_few_kinds(rng, hurried, kind):
    maps, labels, _ = planted(rng, 16)
    if kind == "one each":
        maps, labels = maps[:2], labels[:2]
    else:
        labels = np.full(16, float(kind == "objects alone"), "float32")
    model = network(8)
    logs = model.fit(maps, labels, epochs=14, batch_size=16, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    counted = float(state_of(model).steps.numpy())
    assert counted == (0 if kind == "background alone" else 14)


@pytest.mark.parametrize("kind", ["flat", "anchor in the centre", "no anchor", "NaN"])
def test_objects_without_a_frame(rng, hurried, kind):
    maps, labels, _ = planted(rng, 32)
    vote = np.zeros((32, SIDE * SIDE), "float32")
    if kind == "flat":
        maps[:] = 1.0
    if kind == "anchor in the centre":
        maps[:] = 0.0
        vote[:, SIDE * SIDE // 2 + SIDE // 2] = 1.0
    if kind == "NaN":
        maps[3] = np.nan
    places = PartPlaces(6)
    places.prepare(SIDE, SIDE, 6)
    for _ in range(15):
        found = find(places, maps, vote, labels)
    cells = ops.convert_to_numpy(found.cells)
    assert cells.shape == (32, 6)
    assert ((cells >= 0) & (cells < SIDE * SIDE)).all()
    for variable in places.variables:
        assert np.isfinite(ops.convert_to_numpy(variable)).all(), variable.path


def test_an_image_of_nan_does_not_count_as_an_object(rng, hurried):
    maps, labels, _ = planted(rng, 16)
    maps[0] = np.nan
    places = PartPlaces(6)
    places.prepare(SIDE, SIDE, 6)
    vote = np.zeros((16, SIDE * SIDE), "float32")
    found = find(places, maps, vote, labels)
    expected = labels.copy()
    expected[0] = 0.0
    np.testing.assert_array_equal(ops.convert_to_numpy(found.is_object), expected)


def test_objects_that_fill_the_image(rng, hurried):
    # As much energy at each cell: nothing is background.
    maps = rng.normal(size=(16, SIDE, SIDE, 6)).astype("float32")
    vote = rng.random((16, SIDE * SIDE)).astype("float32")
    places = PartPlaces(12)
    places.prepare(SIDE, SIDE, 6)
    for _ in range(14):
        found = find(places, maps, vote, np.ones(16, "float32"))
    assert places.search().complete
    centres = ops.convert_to_numpy(places.centres)
    # The lattice spans the image, and no two places are one.
    assert np.ptp(centres, axis=0).min() > SIDE / 4
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    assert apart[np.triu_indices(12, 1)].min() > 0.5
    cells = ops.convert_to_numpy(found.cells)
    assert ((cells >= 0) & (cells < SIDE * SIDE)).all()


def test_more_places_than_cells(rng, hurried):
    maps = rng.normal(size=(8, 6, 6, 4)).astype("float32")
    places = PartPlaces(60)
    places.prepare(6, 6, 4)
    vote = np.zeros((8, 36), "float32")
    for _ in range(14):
        found = find(places, maps, vote, np.ones(8, "float32"))
    assert ops.convert_to_numpy(found.cells).max() < 36


@pytest.mark.parametrize(
    ("shape", "filters"), [((5, 5, 3), 32), ((1, 1, 3), 32), ((9, 9, 3), 8)]
)
def test_says_where_it_falls_back_on_the_posterior_loss(caplog, shape, filters):
    images = np.zeros((2, *shape), "float32")
    layer = ki.InterpretableConv(filters, 1, filter_loss="parts")
    with caplog.at_level(logging.WARNING):
        layer(images, training=True)
    assert "posterior" in caplog.text
    assert not layer.interpretable_mask.pulls_to_places
    assert layer.interpretable_mask.effective_filter_loss_weight == 0.1
    assert len(layer.losses) == 1


def test_several_categories_fall_back_on_the_posterior_loss(caplog):
    layer = ki.InterpretableConv(32, 1, filter_loss="parts", num_categories=3)
    with caplog.at_level(logging.WARNING):
        layer(np.zeros((2, 8, 8, 3), "float32"), training=True, labels=np.array([0, 2]))
    assert "background" in caplog.text
    assert layer.interpretable_mask.effective_filter_loss_weight == 0.15


def test_a_mask_alone_has_the_posterior_loss(rng):
    maps = np.abs(rng.normal(size=(4, 8, 8, 16))).astype("float32")
    losses = []
    for mode in ("parts", "posterior"):
        layer = ki.layers.InterpretableMask(filter_loss=mode)
        layer(maps, training=True)
        losses.append(float(layer.losses[0]))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
def test_features_lie_at_the_cells(padding, strides):
    rows, columns = np.indices((16, 17)).astype("float32")
    images = np.stack([rows, columns], axis=-1)[None]
    layer = ki.InterpretableConv(
        16, 3, strides, padding, filter_loss="parts", fraction=1.0
    )
    maps = ops.convert_to_numpy(layer(images))
    found = ops.convert_to_numpy(layer._inputs_at_cells(images))
    assert found.shape[1:3] == maps.shape[1:3]
    # A kernel that is 1 in its centre gives what lies there.
    kernel = np.zeros((3, 3, 2, 2), "float32")
    kernel[1, 1] = np.eye(2)
    plain = keras.layers.Conv2D(2, 3, strides, padding, use_bias=False)
    plain.build(images.shape)
    plain.kernel.assign(kernel)
    np.testing.assert_array_equal(found, ops.convert_to_numpy(plain(images)))


@pytest.mark.parametrize("parts", [0, -1, 2.5, "all"])
def test_a_number_of_places_that_is_none(parts):
    with pytest.raises(ValueError, match="`parts`"):
        ki.InterpretableConv(16, filter_loss="parts", parts=parts)


def test_the_papers_scale_needs_a_loss_of_the_paper():
    with pytest.raises(ValueError, match="scale='paper'"):
        ki.InterpretableConv(16, filter_loss="parts", scale="paper")


def test_filters_are_dealt_to_the_places(rng):
    layer = ki.InterpretableConv(40, 3, filter_loss="parts", parts=5)
    layer(np.zeros((2, 10, 10, 3), "float32"))
    assert layer.interpretable_mask._places.places == 5
    assert layer.get_config()["parts"] == 5


def test_agreement_of_three_filters():
    # On maps of 13 x 13, two cells apart are one place and three are not.
    cells = np.array([[0, 2, 3], [0, 0, 0], [0, 26, 27], [5, 5, 5]], "int32")
    alive = np.ones((4, 3), "float32")
    alive[1, 0] = 0.0
    shown = np.array([1, 1, 1, 0], "float32")
    found = ops.convert_to_numpy(agreement(cells, alive, shown))
    # 2 of 3 pairs; 1 of 3, since one filter is silent; 3 of 3.
    np.testing.assert_allclose(found, (2 / 3 + 1 / 3 + 1) / 3, rtol=1e-6)


def test_agreement_of_one_filter_and_without_an_object():
    cells, alive = np.zeros((2, 1), "int32"), np.ones((2, 1), "float32")
    assert float(agreement(cells, alive, np.ones(2, "float32"))) == 1
    cells, alive = np.zeros((2, 4), "int32"), np.ones((2, 4), "float32")
    assert float(agreement(cells, alive, np.zeros(2, "float32"))) == 0


ANCHORS = {"one part": [0, 0, 0, 0], "a part each": [0, 1, 2, 3], "noise": [5] * 4}


@pytest.mark.parametrize("kind", [*ANCHORS])
def test_the_search_starts_where_the_anchor_is_one_part(rng, soon, kind):
    maps, labels, _ = planted(rng, 32)
    layer = ki.InterpretableConv(
        16, 1, fraction=1.0, filter_loss="parts", num_categories=1
    )
    layer.build(maps.shape)
    kernel = np.zeros((1, 1, 6, 16), "float32")
    kernel[0, 0, ANCHORS[kind], np.arange(4)] = 1.0
    if kind == "noise":
        # Two filters each follow a random cell, the other two its opposite.
        kernel[0, 0, 5, 2:4] = -1.0
    layer.kernel.assign(kernel)
    for _ in range(14):
        layer(maps, training=True, labels=labels)
    found = layer.part_search
    assert found.anchor_found == found.complete == (kind == "one part")
    if kind == "one part":
        assert found.agreement == pytest.approx(1.0) and found.batches == 14
    else:
        assert found.agreement < _part_places.LEAST_AGREEMENT


@pytest.mark.slow
def test_an_anchor_that_is_not_found_is_said_and_waited_for(
    rng, hurried, monkeypatch, caplog
):
    monkeypatch.setattr(_part_places, "LEAST_AGREEMENT", 1.1)
    monkeypatch.setattr(_part_places, "WAITING_IS_SAID", 2.0)
    maps, labels, _ = planted(rng, 16)
    model = network(8, layers=2)
    fit = {"batch_size": 16, "verbose": 0}
    with caplog.at_level(logging.WARNING):
        model.fit(maps, labels, epochs=4, **fit)
        assert not caplog.text
        model.fit(maps, labels, epochs=3, **fit)
    # Once, by the layer that searches.
    assert caplog.text.count("agree on a place") == 1
    assert "parts_0" in caplog.text and "posterior" in caplog.text
    found = model.get_layer("parts_0").part_search
    assert found.batches == 7 and not found.anchor_found and not found.complete
    assert 0 <= found.agreement <= 1
    assert float(state_of(model).steps.numpy()) == 3
    assert model.get_layer("parts_1").part_search is None
    # Once it is found, the search goes on.
    monkeypatch.setattr(_part_places, "LEAST_AGREEMENT", 0.0)
    model.fit(maps, labels, epochs=9, **fit)
    found = model.get_layer("parts_0").part_search
    assert found.batches == 16 and found.anchor_found and found.complete


def test_all_filters_have_the_posterior_loss_while_the_search_waits(
    rng, hurried, monkeypatch
):
    monkeypatch.setattr(_part_places, "LEAST_AGREEMENT", 1.1)
    maps, labels, _ = planted(rng, 16)
    losses = {}
    for mode in ("parts", "posterior"):
        keras.utils.set_random_seed(3)
        layer = ki.InterpretableConv(
            8, 3, fraction=1.0, filter_loss=mode, num_categories=1
        )
        losses[mode] = []
        for _ in range(4):
            layer(maps, training=True, labels=labels)
            losses[mode].append(float(layer.losses[0]))
    # The weight is three times the posterior's, the share a third. Before the search
    # waits, two filters of eight are the anchor and the others have no loss.
    np.testing.assert_allclose(losses["parts"][3], losses["posterior"][3], rtol=1e-5)
    assert losses["parts"][2] < 0.8 * losses["posterior"][2]


def test_no_search_without_places():
    layer = ki.InterpretableConv(16, 3)
    layer(np.zeros((2, 10, 10, 3), "float32"))
    assert layer.part_search is None
