"""What the tests of the reproductions share."""

import pytest

from keras_interp.reproduce import explained_task


@pytest.fixture
def drawn_task(monkeypatch):
    """The explainer's task on forty drawn pictures."""
    monkeypatch.setattr(explained_task, "SYNTHETIC_PICTURES", 40)
    (task,) = explained_task.explained_tasks(
        "synthetic_parts",
        None,
        None,
        categories=None,
        quick=True,
        development=False,
        seed=0,
    )
    return task
