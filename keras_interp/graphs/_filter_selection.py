"""Which filters decide at a node: alpha in {0, 1}^F."""

from __future__ import annotations

import warnings

import numpy as np

SELECTIONS = ("lasso", None)


def select_filters(
    contributions: np.ndarray,
    targets: np.ndarray,
    method: str | None,
    penalty: float,
) -> np.ndarray:
    """Minimises the error of y from alpha . z + b, with a price for each filter.

    The equation is `(1/n) sum_i (alpha . z_i + b - y_i)^2 + lambda sum alpha` with
    `lambda = penalty * sqrt(n)`, z = gbar o x of a node's n images, and b at its best.

    Example:

    ```python
    chosen = select_filters(direction * vectors, targets, "lasso", 1e-6)
    ```

    Args:
        contributions: `(n, F)`, z.
        targets: `(n,)`, y.
        method: `"lasso"`: the support of the real solution, which is not 0 for at most
            n filters; `None`: all filters.
        penalty: lambda at one image.

    Returns:
        bool `(F,)`; all True where no filter would be left.

    Reference:
        Zhang, Yang, Ma, Wu, "Interpreting CNNs via Decision Trees", 2018, equation of
        alpha and b; the support as in giamdalessandro/neural_networks_project_2020.
    """
    count, filters = contributions.shape
    every = np.ones(filters, dtype=bool)
    centred = contributions - contributions.mean(axis=0)
    wanted = targets - targets.mean()
    # Filters that are the same in all images could go in or out without a difference.
    varying = np.any(centred != 0.0, axis=0)
    if method is None or count < 2 or not varying.any():
        return every
    chosen = np.zeros(filters, dtype=bool)
    chosen[varying] = _lasso_support(
        centred[:, varying], wanted, penalty * np.sqrt(count)
    )
    return chosen if chosen.any() else every


def _lasso_support(centred: np.ndarray, wanted: np.ndarray, price: float) -> np.ndarray:
    # Only here: importing the package must not import scikit-learn.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    count, filters = centred.shape
    # Scikit-learn halves the squared error.
    model = Lasso(
        alpha=price / 2,
        fit_intercept=False,
        precompute=count > filters,
        max_iter=300,
        tol=1e-3,
    )
    with warnings.catch_warnings():
        # The support is settled long before the last digits of the coefficients.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.asfortranarray(centred), wanted)
    return model.coef_ != 0.0
