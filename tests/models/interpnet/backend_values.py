"""What one backend makes of a training step and of greedy decoding.

python backend_values.py FILE.npz
"""

import sys

import keras
import numpy as np

import keras_interp as ki

rng = np.random.default_rng(10)
# Weights with which sentences differ.
captions = [[f"a {c} bird, it is {c}.", f"{c} bird"] for c in ("red", "blue", "grey")]
vocabulary = ki.datasets.Vocabulary.from_sentences(captions)
classifier = ki.models.interpnet_classifier(5, 3, (4,))
model = ki.models.InterpNet(
    classifier, vocabulary, units=6, embedding_dim=4, projection=5, dropout=0.0
)
for weight in model.weights:
    weight.assign(rng.normal(0, 1.5, weight.shape))
features = rng.normal(0, 1.5, (6, 5)).astype("float32")
results = {"context": model.context(features)}
for name, options in {
    "greedy": {},
    "beam": {"beam_width": 3},
    "sample": {"temperature": 1.2, "seed": 3},
    "nucleus": {"top_p": 0.8, "seed": 3},
}.items():
    results[name] = model.explain_ids(features, max_length=8, **options)
history = model.fit_explainer(
    features[:3],
    captions,
    (features[3:], captions),
    epochs=2,
    batch_size=3,
    learning_rate=0.005,
    verbose=0,
)
results |= {name: np.array(v) for name, v in history.history.items()}
for number, weight in enumerate(model.decoder.get_weights()):
    results[f"weight_{number}"] = np.asarray(weight)
np.savez(sys.argv[1], **results)
print(keras.backend.backend())
