"""keras-interp explain: any image file in, a page and a figure out."""

import json
import re
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_interp as ki
from keras_interp.cli import app
from keras_interp.datasets._images import read_photograph


def network(*before, size=16, channels=3, dtype="float32"):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((size, size, channels), dtype=dtype),
            *before,
            ki.InterpretableConv(4, 3, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photographs of one name and of different kinds, and a saved model."""
    folder = tmp_path_factory.mktemp("explain")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    (folder / "inner").mkdir()
    Image.fromarray(pixels).save(folder / "bird.png")
    Image.fromarray(pixels[..., 0]).save(folder / "inner" / "bird.gif")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    network(keras.layers.Rescaling(1 / 255)).save(folder / "model.keras")
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def refusal(*arguments):
    """What a command says that it refuses."""
    error = run(*arguments).exception
    assert isinstance(error, ValueError | OSError), error
    return str(error)


def test_a_page_and_a_figure_for_each_image(folder, tmp_path):
    images = folder / "bird.png", folder / "inner" / "bird.gif"
    options = "--methods", "saliency", "--class-names", "cat, <b>bird</b>, dog"
    result = run(folder / "model.keras", *images, *options, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "bird.html",
        "bird.png",
        "bird-2.html",
        "bird-2.png",
    }
    assert "Images are prepared as 'none'" in result.output
    page = (tmp_path / "out" / "bird.html").read_text(encoding="utf-8")
    assert "<b>bird</b>" not in page and "saliency" in page
    with Image.open(tmp_path / "out" / "bird-2.png") as figure:
        assert figure.width > figure.height > 100


def test_what_is_said_is_what_ki_explain_says(folder, tmp_path):
    model = keras.saving.load_model(folder / "model.keras")
    with Image.open(folder / "bird.png") as image:
        small = image.resize((16, 16), Image.Resampling.BILINEAR)
    why = ki.explain(model, np.asarray(small), class_index=2, methods=["gradient"])
    result = run(
        *(folder / "model.keras", folder / "bird.png", "--class-index", 2),
        *("--methods", "gradient", "--out", tmp_path),
    )
    for line in str(why).splitlines():
        assert f"  {line}\n" in result.output
    assert "why class 2?" in result.output


def test_a_damaged_file_is_left_out_and_told(folder, tmp_path):
    result = run(
        *(folder / "model.keras", folder / "broken.jpg", folder / "bird.png"),
        *("--methods", "gradient", "--out", tmp_path / "out"),
    )
    assert result.exit_code == 1
    assert "broken.jpg is damaged or not an image" in result.output
    assert "1 of 2 files left out" in result.output
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "cat\nbird\ndog\n"),
        ("names.json", json.dumps(["cat", "bird", "dog"])),
        (
            "index.json",
            json.dumps({"1": ["n1", "bird"], "0": ["n0", "cat"], "2": "dog"}),
        ),
    ],
)
def test_names_come_from_a_file(folder, tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    result = run(
        *(folder / "model.keras", folder / "bird.png", "--methods", "gradient"),
        *("--class-names", tmp_path / name, "--class-index", 1, "--out", tmp_path),
    )
    assert "why bird?" in result.output


def test_names_are_those_of_the_folders_of_the_classes(folder, tmp_path):
    for name in ("cat", "bird", ".cache", "ant"):
        (tmp_path / "train" / name).mkdir(parents=True)
    wanted = "--methods", "gradient", "--class-index", 1, "--out", tmp_path / "out"
    image = tmp_path / "train" / "bird" / "bird.png"
    image.write_bytes((folder / "bird.png").read_bytes())
    result = run(folder / "model.keras", image, *wanted)
    assert "why class 1?" in result.output
    assert "Give --class-names a file" in result.output
    names = "--class-names", tmp_path / "train"
    result = run(folder / "model.keras", image, *wanted, *names)
    assert "why bird?" in result.output
    assert "Give --class-names" not in result.output
    result = run(folder / "model.keras", tmp_path / "train", *wanted)
    assert f"Give those of one class, {image.parent}" in str(result.exception)


def test_images_of_a_folder_and_of_any_size(folder, tmp_path):
    inner = tmp_path / "photographs"
    inner.mkdir()
    (inner / "one.png").write_bytes((folder / "bird.png").read_bytes())
    inputs = keras.Input((None, None, 1))
    maps = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps))
    keras.Model(inputs, outputs).save(tmp_path / "any.keras")
    options = "--methods", "gradient", "--out", tmp_path / "out"
    result = run(tmp_path / "any.keras", inner, *options, "--size", 12)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "one.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.keras", "bird.png"], "No file .*nowhere.keras"),
        (["bird.png", "bird.png"], "Expected a .keras file"),
        (["cut.keras", "bird.png"], "another kind of file or damaged"),
        (["empty.keras", "bird.png"], "cannot be read"),
        (["model.keras", "nowhere.png"], "No file .*nowhere.png"),
        (["model.keras", "bird.png", "--size", "8"], "takes any size"),
        (["model.keras", "bird.png", "--class-names", "gone.txt"], "No file gone.txt"),
        (
            ["model.keras", "bird.png", "--preprocess", "zebra"],
            r"zebra.*\n  none: 0 to 255",
        ),
        (["model.keras", "bird.png", "--methods", "zebra"], "zebra"),
    ],
)
def test_what_does_not_fit_is_refused(folder, tmp_path, arguments, words):
    (folder / "cut.keras").write_bytes((folder / "model.keras").read_bytes()[:500])
    with zipfile.ZipFile(folder / "empty.keras", "w") as archive:
        archive.writestr("notes.txt", "no model")
    first, second, *options = arguments
    out = tmp_path / "out"
    text = refusal(folder / first, folder / second, *options, "--out", out)
    assert re.search(words, text)
    assert not out.exists()


def test_a_layer_that_nobody_imported_is_named(folder, tmp_path, monkeypatch):
    kind = keras.saving.register_keras_serializable("tests")(
        type("Doubled", (keras.layers.Layer,), {"call": lambda self, x: x * 2.0})
    )
    network(keras.layers.Rescaling(1 / 255), kind()).save(tmp_path / "own.keras")
    del keras.saving.get_custom_objects()["tests>Doubled"]
    arguments = tmp_path / "own.keras", folder / "bird.png", "--methods", "gradient"
    arguments += "--out", tmp_path
    assert "with 'Doubled'" in refusal(*arguments)
    (tmp_path / "layers_of_my_own.py").write_text(
        "import keras\n\n\n"
        "@keras.saving.register_keras_serializable('tests')\n"
        "class Doubled(keras.layers.Layer):\n"
        "    def call(self, x):\n"
        "        return x * 2.0\n"
    )
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, "--import", "layers_of_my_own")
    assert result.exit_code == 0, result.output


def test_code_in_a_file_is_not_run(folder, tmp_path):
    network(keras.layers.Lambda(lambda x: x / 255)).save(tmp_path / "code.keras")
    text = refusal(tmp_path / "code.keras", folder / "bird.png", "--out", tmp_path)
    assert "Lambda layer of a Python function" in text


def test_a_model_that_does_not_say_what_it_takes_is_asked_about(folder, tmp_path):
    network().save(tmp_path / "silent.keras")
    arguments = tmp_path / "silent.keras", folder / "bird.png", "--out", tmp_path / "o"
    text = refusal(*arguments, "--methods", "gradient")
    assert "cannot be known" in text and "unit: 0 to 1" in text
    result = run(*arguments, "--methods", "gradient", "--preprocess", "unit")
    assert result.exit_code == 0 and "It was given" in result.output


def test_a_photograph_is_read_as_one_sees_it(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0] = 250, 10, 10
    turned = Image.fromarray(pixels).getexif()
    turned[0x0112] = 6  # The camera was held upright: to be turned to the right.
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=turned)
    seen = read_photograph(tmp_path / "turned.png")
    assert seen.shape == (6, 4, 3) and tuple(seen[0, -1]) == (250, 10, 10)
    clear = np.zeros((2, 2, 4), np.uint8)
    clear[0, 0] = 9, 8, 7, 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    seen = read_photograph(tmp_path / "clear.png", (2, 2))
    assert seen.tolist() == [[[9, 8, 7], [255] * 3], [[255] * 3, [255] * 3]]
