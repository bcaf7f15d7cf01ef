"""Time of InterpNET's training step and of its decoding, against plain PyTorch.

    python benchmarks/interpnet.py
    KERAS_BACKEND=jax python benchmarks/interpnet.py --repeats 9

The sizes are those of the paper's code: r(x) of 8,892 numbers, an embedding of 256,
two LSTMs and a projection of 512, Adam, batches of 32 sentences; the vocabulary has
2,400 words. The same wiring is written below with `torch.nn.LSTM`, in two ways: r(x)
joined at every step, as the paper writes it, and r(x) projected once a sentence, as the
library does. They take turns, so that whatever else the machine does slows all of them;
the ratios are medians over the turns, above 1 where the library is slower.

Greedy decoding is of 512 pictures, with weights with which no sentence ends before its
20th word. The naive loop calls `model.predict` for each word of each picture with the
words so far; it is timed on few pictures, and 512 are computed from that. A beam of 5
is timed beside greedy decoding.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_interp as ki
from keras_interp.models.interpnet._training import SentenceTraining, steadily_compiled

FEATURES, WORDS = 8892, 2400
UNITS, EMBEDDING = 512, 256
BATCH, LENGTH = 32, 16
PICTURES, LONGEST, BEAM = 512, 20, 5
TERMINAL_ID = 2


def model_of(classes: int = 200) -> ki.models.InterpNet:
    """An InterpNet of the paper's sizes whose sentences never end by themselves."""
    keras.utils.set_random_seed(0)
    classifier = ki.models.interpnet_classifier(FEATURES - 500 - classes, classes)
    vocabulary = ki.datasets.Vocabulary(f"word{n}" for n in range(WORDS - 3))
    model = ki.models.InterpNet(classifier, vocabulary, max_length=LONGEST)
    bias = np.zeros(WORDS, "float32")
    bias[TERMINAL_ID] = -100.0
    model.decoder.output_bias.assign(bias)
    return model


def torch_decoder(once: bool) -> Any:
    """The wiring as a module of torch."""
    import torch
    from torch import nn

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(WORDS, EMBEDDING)
            self.first = nn.LSTM(EMBEDDING, UNITS, batch_first=True)
            self.second = nn.LSTM(UNITS, UNITS, batch_first=True)
            self.drop = nn.Dropout(0.2)
            self.hidden = nn.Linear(UNITS, UNITS, bias=False)
            self.context = nn.Linear(FEATURES, UNITS)
            self.joined = nn.Linear(UNITS + FEATURES, UNITS)
            self.output = nn.Linear(UNITS, WORDS)

        def forward(self, words: Any, r: Any, states: Any = (None, None)) -> Any:
            first, state_1 = self.first(self.embedding(words), states[0])
            first = self.drop(first)
            if once:
                # While a sentence is decoded r is projected before its first word.
                term = r if r.shape[-1] == UNITS else self.context(r)
                u = self.hidden(first) + term[:, None]
            else:
                repeated = r[:, None].expand(-1, words.shape[1], -1)
                u = self.joined(torch.cat([first, repeated], dim=-1))
            second, state_2 = self.second(u, states[1])
            return self.output(self.drop(second)), (state_1, state_2)

    torch.manual_seed(0)
    decoder = Decoder()
    # What the other way does not use would cost Adam its steps.
    for name in ("joined",) if once else ("hidden", "context"):
        delattr(decoder, name)
    with torch.no_grad():
        decoder.output.bias[TERMINAL_ID] = -100.0
    return decoder


def torch_training(once: bool, words: np.ndarray, r: np.ndarray) -> Callable[[], float]:
    """A training step on L_E."""
    import torch

    decoder = torch_decoder(once).train()
    optimizer = torch.optim.Adam(decoder.parameters(), 5e-4)
    targets = torch.from_numpy(words.astype("int64"))
    before = torch.nn.functional.pad(targets[:, :-1], (1, 0))
    vectors = torch.from_numpy(r)

    def step() -> float:
        optimizer.zero_grad()
        logits, _ = decoder(before, vectors)
        likely = logits.softmax(dim=-1).gather(-1, targets[..., None])[..., 0]
        loss = -(likely + 1e-8).log().mean(dim=-1).mean()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def torch_greedy(once: bool, r: np.ndarray) -> Callable[[], np.ndarray]:
    """Greedy decoding, a word of all pictures at a time."""
    import torch

    decoder = torch_decoder(once).eval()
    vectors = torch.from_numpy(r)

    @torch.inference_mode()
    def decode() -> np.ndarray:
        given = decoder.context(vectors) if once else vectors
        words = torch.zeros((len(r), 1), dtype=torch.int64)
        ended = torch.zeros(len(r), dtype=torch.bool)
        states: Any = (None, None)
        said = []
        for _ in range(LONGEST):
            logits, states = decoder(words, given, states)
            words = logits.argmax(dim=-1)
            words[ended] = 0
            said.append(words)
            ended |= words[:, 0] == TERMINAL_ID
            if bool(ended.all()):
                break
        return torch.cat(said, dim=1).numpy()

    return decode


def naive_seconds(model: ki.models.InterpNet, r: np.ndarray, pictures: int) -> float:
    """Time of a loop over `model.predict`, computed for all pictures from a few."""
    words, vectors = keras.Input((None,), dtype="int32"), keras.Input((FEATURES,))
    network = keras.Model([words, vectors], model.decoder([words, vectors]))
    said = np.zeros((1, 1), "int32")
    for _ in range(LONGEST):
        # Every length is traced before the time is taken.
        network.predict([np.zeros_like(said), r[:1]], verbose=0)
        said = np.pad(said, [(0, 0), (0, 1)])
    start = time.perf_counter()
    for picture in range(pictures):
        said = np.zeros((1, 1), "int32")
        for _ in range(LONGEST):
            logits = network.predict([said, r[picture : picture + 1]], verbose=0)
            said = np.append(said, logits[:, -1].argmax(axis=-1)[:, None], axis=1)
    return (time.perf_counter() - start) * PICTURES / pictures


def take_turns(
    contestants: dict[str, Callable[[], Any]], repeats: int
) -> dict[str, list[float]]:
    """Seconds of each, one after another."""
    for one in contestants.values():
        one()
        one()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, one in contestants.items():
            start = time.perf_counter()
            one()
            times[name].append(time.perf_counter() - start)
    return times


def show(title: str, times: dict[str, list[float]], ours: str) -> None:
    """The medians, and how our time stands to each of the others."""
    print(title)
    for name, seconds in times.items():
        line = f"  {name:32} {1000 * statistics.median(seconds):8.0f} ms"
        if name.startswith("torch"):
            pairs = zip(times[ours], seconds, strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
            line += f"   {ours} / it: {ratio:.2f}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--naive", type=int, default=2, help="pictures of that loop")
    asked = parser.parse_args()
    import torch

    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    r = rng.random((PICTURES, FEATURES)).astype("float32")
    r /= np.linalg.norm(r, axis=-1, keepdims=True)
    words = rng.integers(3, WORDS, (BATCH, LENGTH)).astype("int32")
    model = model_of()
    print(f"{keras.backend.backend()} against torch {torch.__version__}, CPU")
    decoding = {
        "keras_interp": lambda: model.explain_ids(context=r, batch_size=PICTURES),
        "torch, r joined at every step": torch_greedy(False, r),
        "torch, r projected once": torch_greedy(True, r),
        f"keras_interp, beam of {BEAM}": lambda: model.explain_ids(
            context=r, beam_width=BEAM, batch_size=PICTURES
        ),
    }
    times = take_turns(decoding, asked.repeats)
    show(f"greedy decoding of {PICTURES} pictures", times, "keras_interp")
    ours = statistics.median(times["keras_interp"])
    pairs = zip(
        times[f"keras_interp, beam of {BEAM}"], times["keras_interp"], strict=True
    )
    print(f"  beam / greedy: {statistics.median(a / b for a, b in pairs):.2f}")
    naive = naive_seconds(model, r, asked.naive)
    print(f"  loop over model.predict: {naive:.0f} s, {naive / ours:.0f} times greedy")

    training = SentenceTraining(model.decoder, r)
    steadily_compiled(training, 5e-4)
    batch = {
        "pictures": np.arange(BATCH, dtype="int32"),
        "words": words,
        "lengths": np.full(BATCH, LENGTH, "int32"),
    }
    steps = {
        "keras_interp": lambda: training.train_on_batch(batch),
        "torch, r joined at every step": torch_training(False, words, r[:BATCH]),
        "torch, r projected once": torch_training(True, words, r[:BATCH]),
    }
    title = f"training step, {BATCH} sentences of {LENGTH} words"
    show(title, take_turns(steps, asked.repeats), "keras_interp")


if __name__ == "__main__":
    main()
