"""Data sets that other libraries hold in memory: scikit-learn, torch, Hugging Face `datasets`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.data.arrays import collection_from_array
from somscope.data.collection import Collection
from somscope.data.sampling import choose
from somscope.errors import InputError
from somscope.progress import track

__all__ = ["collection_from_object"]


def collection_from_object(
    source: Any,
    *,
    name: str | None = None,
    limit: int | None = None,
    seed: int | None = None,
    **options: Any,
) -> Collection:
    """A collection from an object of another library.

    - a scikit-learn Bunch (`data` or `images`, `target`, `target_names`, `feature_names`)
    - a torch tensor: (n, d), or images (n, C, H, W) uint8, or float in 0..1
    - a torch Dataset with a length: items are x, or (x, label) with x a tensor, an array or a Pillow image
    - a Hugging Face `datasets.Dataset`: options as for a table, see `collection_from_table`
    - a pair (X, y)

    Raises InputError for anything else, for items of different shapes, and for labels of another length.
    """
    for reader in (_bunch, _hugging_face, _tensor, _torch_dataset, _pair):
        collection = reader(source, name, limit, seed, options)
        if collection is not None:
            return collection
    raise InputError(
        f"cannot read a {type(source).__module__}.{type(source).__qualname__}; allowed: the name of a data set, a "
        "path, a NumPy array, a SciPy matrix, (X, y), a scikit-learn Bunch, a torch tensor or Dataset, "
        "a PyArrow table, a pandas data frame, a Hugging Face dataset"
    )


def _check_array_options(options: dict[str, Any]) -> None:
    allowed = ("label_names", "ids", "feature_names")
    unknown = [option for option in options if option not in allowed]
    if unknown:
        raise InputError(
            f"unknown option {', '.join(unknown)}; allowed: {', '.join((*allowed, 'name', 'labels', 'limit', 'seed'))}"
        )


def _is_a(value: Any, module: str, name: str) -> bool:
    """isinstance without importing the library: if it is not loaded, nothing can be an instance of its classes."""
    library = sys.modules.get(module)
    return library is not None and isinstance(value, getattr(library, name, ()))


def _bunch(
    source: Any, name: str | None, limit: int | None, seed: int | None, options: Any
) -> Collection | None:
    if not _is_a(source, "sklearn.utils", "Bunch"):
        return None
    if "data" not in source:
        raise InputError(f"this Bunch has no data; its fields: {', '.join(source)}")
    _check_array_options(options)
    target = source.get("target")
    if target is not None and getattr(target, "ndim", 1) != 1:
        target = None  # several targets for each item are not classes
    names = source.get("target_names")
    if target is not None and names is None and np.asarray(target).dtype.kind == "f":
        target = None  # a measured target (regression) is not a class
    data = source["data"]
    features = source.get("feature_names")
    data = data.to_numpy() if hasattr(data, "to_numpy") else data
    collection = collection_from_array(
        data,
        name=name or "scikit-learn data",
        labels=None if target is None else np.asarray(target),
        label_names=() if target is None or names is None or isinstance(names, str) else list(names),
        feature_names=() if features is None or len(features) != data.shape[1] else list(features),
        source={"reader": "scikit-learn Bunch"},
        **options,
    )
    return collection if limit is None else collection.take(choose(len(collection), limit, seed))


def _tensor(
    source: Any, name: str | None, limit: int | None, seed: int | None, options: Any
) -> Collection | None:
    if not _is_a(source, "torch", "Tensor"):
        return None
    _check_array_options(options)
    array = source.detach().cpu()
    array = array.to_dense() if array.is_sparse else array
    array = array.float() if str(array.dtype) in ("torch.bfloat16", "torch.float16") else array
    rows = choose(len(array), limit, seed)
    values = _channels_last(array.numpy() if limit is None else array.numpy()[rows], 1)
    return collection_from_array(values, name=name or "tensor", source={"reader": "torch tensor"}, **options)


def _torch_dataset(
    source: Any, name: str | None, limit: int | None, seed: int | None, options: Any
) -> Collection | None:
    if not _is_a(source, "torch.utils.data", "Dataset"):
        return None
    if not hasattr(source, "__len__"):
        raise InputError(
            "a torch Dataset without a length cannot become a collection; give a map-style Dataset"
        )
    _check_array_options(options)
    rows = choose(len(source), limit, seed)
    out: NDArray[Any] | None = None
    labels: list[Any] = []
    for place, row in enumerate(track(rows.tolist(), "Reading items")):
        item = source[row]
        if isinstance(item, (tuple, list)):
            labels.append(item[1] if len(item) > 1 else None)
            item = item[0]
        values = _channels_last(np.asarray(item), 0)
        if out is None:
            out = np.empty((len(rows), *values.shape), dtype=values.dtype)
        if values.shape != out.shape[1:]:
            raise InputError(f"item {row} has shape {values.shape}, the items before it {out.shape[1:]}")
        out[place] = values
    if out is None:
        raise InputError("the torch Dataset is empty")
    classes = getattr(source, "classes", ())
    known = [label for label in labels if label is not None]
    if known and "labels" not in options:
        options = {"label_names": classes, **options, "labels": [_scalar(label) for label in labels]}
    return collection_from_array(
        out.reshape(len(out), -1) if out.ndim > 2 and out.dtype != np.uint8 else out,
        name=name or type(source).__name__,
        source={"reader": "torch Dataset"},
        **options,
    )


def _scalar(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _channels_last(values: NDArray[Any], first: int) -> NDArray[Any]:
    """Images as torch stores them, (..., C, H, W), to (..., H, W, C) uint8; anything else as it is.

    first: the axis of C. Floats are images only when all lie in 0..1; they become round(255 * value).
    """
    if values.ndim != first + 3 or values.shape[first] not in (1, 3):
        return values
    if values.dtype.kind == "f":
        if not (values.min() >= 0 and values.max() <= 1):
            raise InputError(
                f"float images must lie in 0..1, these in {values.min():g}..{values.max():g}; "
                "undo the normalisation, or flatten them to vectors (n, d)"
            )
        values = np.rint(values * 255).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(values, first, -1))


def _pair(
    source: Any, name: str | None, limit: int | None, seed: int | None, options: Any
) -> Collection | None:
    if not (isinstance(source, tuple) and len(source) == 2):
        return None
    _check_array_options(options)
    collection = collection_from_array(source[0], name=name or "array", labels=source[1], **options)
    return collection if limit is None else collection.take(choose(len(collection), limit, seed))


def _hugging_face(
    source: Any, name: str | None, limit: int | None, seed: int | None, options: Any
) -> Collection | None:
    """`Dataset.data.table` and `Dataset.features` are all that is used; images stay encoded until we decode them."""
    from somscope.data.huggingface import is_dataset, is_dataset_dict, read_dataset

    if is_dataset_dict(source):
        raise InputError(f"a DatasetDict holds several splits ({', '.join(source)}); give one of them")
    if not is_dataset(source):
        return None
    return read_dataset(source, name=name, limit=limit, seed=seed, **options)
