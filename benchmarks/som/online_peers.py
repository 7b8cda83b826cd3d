"""Adapters of the peers that train online, item by item or in small batches; see `peers` for what the settings are."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.som.adapters import Options, Tool, Trained, costs

__all__ = ["MINISOM", "MINISOM_BATCH", "NUMBASOM", "POPSOM7", "QUICKSOM", "SUSI"]


# --- MiniSom -----------------------------------------------------------------------------------------------------


def minisom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    from minisom import MiniSom

    options = dict(options)
    share = options.pop("sigma_share", None)
    if share is not None:
        options["sigma"] = share * min(rows, columns)
    init = options.pop("init", None)
    method = options.pop("method", "train")
    model = MiniSom(rows, columns, X.shape[1], random_seed=seed, **options)
    if init == "random":
        model.random_weights_init(X)
    elif init == "pca":
        model.pca_weights_init(X)
    if method == "batch-offline":
        model.train_batch_offline(X, passes)
    else:
        model.train(X, passes * len(X), random_order=True)
    return Trained(model, np.asarray(model.get_weights()).reshape(rows * columns, -1))


def minisom_assign(model: Any, X: np.ndarray) -> list[Any]:
    return [model.winner(x) for x in X]


MINISOM = Tool(
    "minisom",
    "minisom",
    minisom_train,
    minisom_assign,
    {
        "default": {},
        "sigma-half-linear": {
            "sigma_share": 0.5,
            "sigma_decay_function": "linear_decay_to_one",
            "decay_function": "linear_decay_to_zero",
            "init": "random",
        },
        "sigma-quarter-asymptotic": {"sigma_share": 0.25, "init": "random"},
        "sigma-tenth-asymptotic": {"sigma_share": 0.1, "init": "random"},
    },
    costs(130.0, 234.0, 100.0, 159.0),
    online=True,
)

MINISOM_BATCH = Tool(
    "minisom-batch-offline",
    "minisom",
    minisom_train,
    None,
    {
        "default": {"method": "batch-offline"},
        "sigma-half-linear": {
            "sigma_share": 0.5,
            "sigma_decay_function": "linear_decay_to_one",
            "learning_rate": 1.0,
            "init": "random",
            "method": "batch-offline",
        },
    },
    costs(128.0, 255.0, 100.0, 115.0),
)


# --- numbasom ----------------------------------------------------------------------------------------------------


def numbasom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import numbasom
    from numba import njit

    @njit  # numba keeps a random state of its own, and numbasom has no seed
    def set_seed(value: int) -> None:
        np.random.seed(value)  # noqa: NPY002

    set_seed(seed)
    lattice = numbasom.SOM((rows, columns), is_torus=False).train(X, passes * len(X), **options)
    return Trained(lattice, np.asarray(lattice).reshape(rows * columns, -1))


def numbasom_assign(lattice: np.ndarray, X: np.ndarray) -> Any:
    import numbasom

    return numbasom.project_on_lattice(X, lattice)


NUMBASOM = Tool(
    "numbasom",
    "numbasom",
    numbasom_train,
    numbasom_assign,
    {"default": {}},
    costs(36.0, 53.7, 11.7, 22.1),
    online=True,
    note="online, nothing to set",
)


# --- SuSi --------------------------------------------------------------------------------------------------------


def susi_train(X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    import susi

    model = susi.SOMClustering(
        rows, columns, n_iter_unsupervised=passes * len(X), n_jobs=1, random_state=seed, **options
    ).fit(X)
    return Trained(model, np.asarray(model.unsuper_som_).reshape(rows * columns, -1))


SUSI = Tool(
    "susi",
    "susi",
    susi_train,
    lambda model, X: model.get_bmus(X),
    {
        "default": {},
        "exponential": {
            "neighborhood_mode_unsupervised": "exp",
            "learn_mode_unsupervised": "exp",
            "init_mode_unsupervised": "random_data",
        },
    },
    costs(278.0, 516.0, 213.0, 283.0),
    online=True,
    note="its fit also assigns every item at the end",
)


# --- quicksom ----------------------------------------------------------------------------------------------------


def quicksom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import torch
    from quicksom.som import SOM

    np.random.seed(seed)  # noqa: NPY002  # quicksom draws its first centroids from the global states
    torch.manual_seed(seed)
    options = dict(options)
    batch = options.pop("batch_size", 20)
    model = SOM(rows, columns, X.shape[1], n_epoch=passes, **options)
    model.fit(X, batch_size=batch, do_compute_all_dists=False, logfile=None, num_workers=0, print_each=10**9)
    return Trained(model, model.centroids.detach().numpy().reshape(rows * columns, -1))


QUICKSOM = Tool(
    "quicksom",
    "quicksom",
    quicksom_train,
    lambda model, X: model.predict(X, num_workers=0, print_each=10**9)[0],
    {"default": {}, "alpha-0.5": {"alpha": 0.5}, "alpha-0.5-exponential": {"alpha": 0.5, "sched": "exp"}},
    costs(106.0, 832.0, 70.0, 62.5),
    online=True,
    note="mini-batches of 20; the budget is one pass, as for the online peers",
)


# --- popsom7 -----------------------------------------------------------------------------------------------------


def popsom7_prepare(X: np.ndarray) -> Any:
    import pandas

    return pandas.DataFrame(X)


def popsom7_train(X: Any, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    from popsom7.maputils import map_build

    built = map_build(
        X, xdim=columns, ydim=rows, train=passes * len(X), seed=seed + 1, minimal=True, **options
    )
    return Trained(built, built["neurons"].to_numpy())


POPSOM7 = Tool(
    "popsom7",
    "popsom7",
    popsom7_train,
    None,
    {"default": {}, "alpha-0.1": {"alpha": 0.1}},
    costs(95.5, 153.0, 68.7, 73.3),
    prepare=popsom7_prepare,
    online=True,
    note="online, trained with minimal=True (the map alone); its assignment works only on a full map",
)
