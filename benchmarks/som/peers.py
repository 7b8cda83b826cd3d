"""One small adapter per peer. Libraries are imported inside the functions, in the peers' own environment.

Settings: "default" is what the constructor gives when nothing but the grid (and the number of passes) is said. The
others vary what moves a map along the trade-off between quantization and topographic error: the final radius, its
decay, the initialisation. Radii are given as shares of the shorter side where a library wants a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.som.adapters import Options, Tool, Trained

__all__ = ["PEERS"]


def _costs(small: float, large: float, wide: float, tiny: float) -> dict[str, float]:
    return {"8x8": small, "40x40": large, "50x50": wide, "20x20": tiny}


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
    _costs(1.7, 1.2, 3.2, 1.6),
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
    _costs(3.4, 2.9, 5.1, 4.0),
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
    _costs(10.5, 7.5, 16.3, 17.6),
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
    _costs(49.0, 7.9, 2.1, 9.3),
    note="batch mode; BLAS path unless the setting says numba (with numba installed it takes the other path by itself)",
)

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
    _costs(130.0, 234.0, 100.0, 159.0),
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
    _costs(128.0, 255.0, 100.0, 115.0),
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
    _costs(22.8, 70.7, 25.0, 27.1),
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
    _costs(15.8, 27.6, 22.9, 21.2),
    prepare=sparse_som_prepare,
    minimum_passes=2,
    note="batch (BSom), made for sparse data; the conversion to CSR is not timed",
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
    _costs(36.0, 53.7, 11.7, 22.1),
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
    _costs(278.0, 516.0, 213.0, 283.0),
    online=True,
    note="its fit also assigns every item at the end",
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
    _costs(10.0, 10.0, 5.0, 20.0),
    minimum_passes=20,
    growing=True,
    note="a growing map: at most the workload's number of units, often fewer (see units); its default is 200 passes",
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
    _costs(106.0, 832.0, 70.0, 62.5),
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
    _costs(95.5, 153.0, 68.7, 73.3),
    prepare=popsom7_prepare,
    online=True,
    note="online, trained with minimal=True (the map alone); its assignment works only on a full map",
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
    _costs(81.4, 6.5, 26.5, 4.5),
    minimum_passes=2,
    note="planar rectangular lattice, no normalisation, its faster=True path; half rough, half fine passes",
)

PEERS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        FASTERSOM,
        XPYSOM,
        PYTHON_SOM,
        TORCHSOM,
        SOMOCLU,
        SPARSE_SOM,
        MINISOM,
        MINISOM_BATCH,
        NUMBASOM,
        SUSI,
        DBGSOM,
        QUICKSOM,
        POPSOM7,
        INTRASOM,
    )
}
