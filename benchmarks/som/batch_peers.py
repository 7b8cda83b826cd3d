"""Adapters of the peers that train in batches, or grow. Libraries are imported inside the functions, in the peers' own
environment; see `peers` for what the settings are."""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.som.adapters import Options, Tool, Trained, costs

__all__ = ["DBGSOM", "FASTERSOM", "INTRASOM", "PYTHON_SOM", "SOMOCLU", "SPARSE_SOM", "TORCHSOM", "XPYSOM"]


# --- fastersom ---------------------------------------------------------------------------------------------------


def fastersom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import fastersom

    model = fastersom.SOM(rows, columns, n_epochs=passes, random_state=seed, device="cpu", **options).fit(X)
    return Trained(model, np.asarray(model.weights_))


FASTERSOM = Tool(
    "fastersom",
    "fastersom",
    fastersom_train,
    lambda model, X: model.predict(X),
    {
        "default": {},
        "sigma-final-0.5": {"sigma_final": 0.5},
        "sigma-final-1.0": {"sigma_final": 1.0},
        "sigma-final-0.7": {"sigma_final": 0.7},
        "sigma-final-0.3": {"sigma_final": 0.3},
        "sigma-final-1.5": {"sigma_final": 1.5},
        "init-sample": {"init": "sample"},
    },
    costs(1.7, 1.2, 3.2, 1.6),
    note="fastersom 0.6.0 needs Python 3.12; its search on the CPU is that of 0.5.0, and only the default final radius"
    " of maps above 40x40 differs (at most 1: here the setting sigma-final-1.0)",
)


# --- XPySom ------------------------------------------------------------------------------------------------------


def xpysom_train(X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    import xpysom

    options = dict(options)
    init = options.pop("init", None)
    model = xpysom.XPySom(rows, columns, X.shape[1], random_seed=seed, xp=np, **options)
    if init == "pca":
        model.pca_weights_init(X)
    model.train(X, passes)
    return Trained(model, np.asarray(model.get_weights()).reshape(rows * columns, -1))


XPYSOM = Tool(
    "xpysom",
    "xpysom",
    xpysom_train,
    lambda model, X: model.winner(X),
    {
        "default": {},
        "sigma-final-0.6": {"sigmaN": 0.6},
        "sigma-final-1.5": {"sigmaN": 1.5},
        "sigma-final-2": {"sigmaN": 2.0},
        "linear-decay": {"decay_function": "linear"},
        "init-pca": {"init": "pca"},
    },
    costs(3.4, 2.9, 5.1, 4.0),
    note="its Gaussian divides by (std_coeff * sigma)^2 with std_coeff 0.5, so a sigma of 1 is a radius of 0.5",
)


# --- torchsom ----------------------------------------------------------------------------------------------------


def torchsom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import torch
    from torchsom import SOM

    options = dict(options)
    share = options.pop("sigma_share", None)
    if share is not None:
        options["sigma"] = share * min(rows, columns)
    init = options.pop("init", None)
    data = torch.from_numpy(X)
    model = SOM(rows, columns, X.shape[1], epochs=passes, random_seed=seed, device="cpu", **options)
    if init:
        model.initialize_weights(data, mode=init)
    model.fit(data, verbose=False)
    return Trained(model, model.weights.detach().numpy().reshape(rows * columns, -1))


def torchsom_assign(model: Any, X: np.ndarray) -> list[Any]:
    import torch

    return [model.identify_bmus(block) for block in torch.from_numpy(X).split(4096)]


TORCHSOM = Tool(
    "torchsom",
    "torchsom",
    torchsom_train,
    torchsom_assign,
    {
        "default": {"cost": 9.0},  # batches of 5
        "batch-256-sigma-half": {"batch_size": 256, "sigma_share": 0.5, "init": "pca"},
        "batch-256-sigma-quarter": {"batch_size": 256, "sigma_share": 0.25, "init": "pca"},
        "batch-256-sigma-tenth": {"batch_size": 256, "sigma_share": 0.1, "init": "pca"},
        "batch-64-sigma-quarter": {"batch_size": 64, "sigma_share": 0.25, "init": "pca"},
    },
    costs(10.5, 7.5, 16.3, 17.6),
    note="its fit also computes both errors of every batch",
)


# --- python-som --------------------------------------------------------------------------------------------------


def python_som_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import sys

    options = dict(options)
    if not options.pop("numba", False) and "python_som" not in sys.modules:
        sys.modules["numba"] = None  # type: ignore[assignment]  # what a machine without numba sees: its BLAS path
    import python_som
    from python_som._core import _decay  # its decay functions have no public name

    share = options.pop("radius_share", None)
    if share is not None:
        options["neighborhood_radius"] = share * min(rows, columns)
    decay = options.pop("decay", None)
    if decay is not None:
        options["neighborhood_radius_decay"] = getattr(_decay, f"{decay}_decay")
    init = options.pop("init", None)
    model = python_som.SOM(rows, columns, X.shape[1], random_seed=seed, **options)
    if init:
        model.weight_initialization(init, data=X)
    model.train(X, n_iteration=passes, mode="batch")
    # train() also computes the quantization error item by item: its own report has the training alone
    return Trained(
        model,
        np.asarray(model.get_weights()).reshape(rows * columns, -1),
        seconds=model.last_report.wall_time_seconds,
    )


PYTHON_SOM = Tool(
    "python-som",
    "python-som",
    python_som_train,
    lambda model, X: model.predict(X),
    {
        "default": {},
        "radius-tenth": {"radius_share": 0.1, "init": "linear"},
        "radius-half": {"radius_share": 0.5, "init": "linear"},
        "radius-half-exponential": {"radius_share": 0.5, "init": "linear", "decay": "exponential"},
        "radius-half-linear": {"radius_share": 0.5, "init": "linear", "decay": "linear"},
        "radius-half-numba": {"radius_share": 0.5, "init": "linear", "numba": True},
    },
    costs(49.0, 7.9, 2.1, 9.3),
    note="batch mode; BLAS path unless the setting says numba (with numba installed it takes the other path by itself)",
)


# --- Somoclu -----------------------------------------------------------------------------------------------------


def somoclu_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import somoclu

    options = dict(options)
    np.random.seed(seed)  # noqa: NPY002  # Somoclu draws its first codebook from the global state
    build = {key: options.pop(key) for key in ("initialization", "compactsupport") if key in options}
    model = somoclu.Somoclu(columns, rows, **build)
    model.train(X, epochs=passes, **options)
    return Trained(model, np.asarray(model.codebook).reshape(rows * columns, -1))


SOMOCLU = Tool(
    "somoclu",
    "somoclu",
    somoclu_train,
    lambda model, X: model.get_bmus(model.get_surface_state(X)),
    {
        "default": {},
        "exponential": {"radiuscooling": "exponential"},
        "scale-1": {"scale0": 1.0, "scaleN": 1.0, "radiuscooling": "exponential"},
        "scale-1-radius-2": {"scale0": 1.0, "scaleN": 1.0, "radiuscooling": "exponential", "radiusN": 2},
        "init-pca": {"initialization": "pca"},
    },
    costs(22.8, 70.7, 25.0, 27.1),
    minimum_passes=2,
    note="gives NaN after a single pass",
)


# --- sparse-som --------------------------------------------------------------------------------------------------


def sparse_som_prepare(X: np.ndarray) -> Any:
    from scipy.sparse import csr_matrix

    return csr_matrix(X)


def sparse_som_train(X: Any, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    import sparse_som

    options = dict(options)
    cooling = options.pop("cooling", None)
    if cooling:
        options["cool"] = getattr(sparse_som.cooling, cooling.upper())
    rng = np.random.default_rng(seed)
    model = sparse_som.BSom(rows, columns, X.shape[1], sparse_som.topology.RECT)
    model.codebook = rng.random(model.codebook.shape).astype(model.codebook.dtype)  # it has no seed
    model.train(X, epochs=passes, **options)
    return Trained(model, np.array(model.codebook).reshape(rows * columns, -1))


SPARSE_SOM = Tool(
    "sparse-som",
    "sparse-som",
    sparse_som_train,
    lambda model, X: model.bmus(X),
    {
        "default": {},
        "exponential": {"cooling": "exponential"},
        "radius-final-1": {"rN": 1.0},
        "radius-final-2": {"rN": 2.0},
        "radius-final-3": {"rN": 3.0},
    },
    costs(15.8, 27.6, 22.9, 21.2),
    prepare=sparse_som_prepare,
    minimum_passes=2,
    note="batch (BSom), made for sparse data; the conversion to CSR is not timed",
)


# --- IntraSOM ----------------------------------------------------------------------------------------------------


def intrasom_train(
    X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int
) -> Trained:
    import intrasom

    np.random.seed(seed)  # noqa: NPY002  # IntraSOM has no seed parameter
    options = dict(options)
    final = options.pop("radius_final", None)
    model = intrasom.SOMFactory.build(
        X,
        mapsize=(columns, rows),
        mapshape="planar",
        lattice="rect",
        normalization=None,
        faster=True,
        faster_config={"verbose": False},
        **options,
    )
    rough = max(1, passes // 2)
    model.train(
        save=False,
        summary=False,
        train_rough_len=rough,
        train_finetune_len=max(1, passes - rough),
        train_finetune_radiusfin=final,
    )
    return Trained(
        model, np.asarray(model.codebook.matrix).reshape(rows * columns, -1), passes=max(2, passes)
    )


INTRASOM = Tool(
    "intrasom",
    "intrasom",
    intrasom_train,
    lambda model, X: model._find_bmu(X),
    {
        "default": {},
        "init-pca": {"initialization": "pca"},
        "radius-final-0.5": {"initialization": "pca", "radius_final": 0.5},
    },
    costs(81.4, 6.5, 26.5, 4.5),
    minimum_passes=2,
    note="planar rectangular lattice, no normalisation, its faster=True path; half rough, half fine passes",
)


# --- DBGSOM ------------------------------------------------------------------------------------------------------


def dbgsom_train(X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    from dbgsom.SomVQ import SomVQ

    model = SomVQ(n_iter=passes, max_neurons=rows * columns, random_state=seed, **options).fit(X)
    positions = np.asarray(list(model.som_.nodes), dtype=np.int64)
    return Trained(model, np.asarray(model.weights_), positions=positions, passes=model._current_epoch + 1)


DBGSOM = Tool(
    "dbgsom",
    "dbgsom",
    dbgsom_train,
    lambda model, X: model.predict(X),
    {
        "default": {"passes": 200},
        "passes-60": {"passes": 60},
        "spreading-0.9": {"passes": 60, "spreading_factor": 0.9},
    },
    costs(10.0, 10.0, 5.0, 20.0),
    minimum_passes=20,
    growing=True,
    note="a growing map: at most the workload's number of units, often fewer (see units); its default is 200 passes",
)
