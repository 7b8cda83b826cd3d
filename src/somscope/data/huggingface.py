"""Hugging Face `datasets` (extra `huggingface`): a data set in memory, or one by its name on the Hub."""

from __future__ import annotations

from typing import Any

from somscope.data.collection import Collection
from somscope.data.tables import collection_from_table
from somscope.errors import DataError, InputError

__all__ = ["is_dataset", "is_dataset_dict", "load_from_hub", "read_dataset"]


def is_dataset(source: Any) -> bool:
    """Whether this is a `datasets.Dataset`, told by what it offers, without importing the library."""
    return all(
        hasattr(source, part) for part in ("features", "with_format", "select", "column_names", "data")
    )


def is_dataset_dict(source: Any) -> bool:
    """Whether this is a `datasets.DatasetDict`."""
    return isinstance(source, dict) and bool(source) and all(is_dataset(part) for part in source.values())


def read_dataset(
    dataset: Any,
    *,
    name: str | None = None,
    label_column: str | None = None,
    limit: int | None = None,
    seed: int | None = None,
    **options: Any,
) -> Collection:
    """A collection from a `datasets.Dataset`; options as in `collection_from_table`.

    label_column: by default the only ClassLabel column, then one called "label". Class names come from the ClassLabel.
    """
    classes = {
        column: list(feature.names)
        for column, feature in dataset.features.items()
        if getattr(feature, "names", None)
    }
    if label_column is None and len(classes) == 1:
        label_column = next(iter(classes))
    table = dataset.with_format("arrow")[:]
    options.setdefault("label_names", classes.get(label_column or "label", ()))
    collection = collection_from_table(
        table,
        name=name or str(getattr(dataset, "builder_name", None) or "huggingface data"),
        label_column=label_column,
        limit=limit,
        seed=seed,
        **options,
    )
    collection.source["reader"] = "Hugging Face dataset"
    return collection


def load_from_hub(path: str, *, split: str = "train", **options: Any) -> Collection:
    """The data set `path` of the Hugging Face Hub ("owner/name"), one split of it; options as in `read_dataset`.

    Raises DataError when the extra is not installed or the Hub cannot be reached.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError("data sets of the Hub need the extra: pip install 'somscope[huggingface]'") from error
    try:
        dataset = datasets.load_dataset(path, split=split)
    except Exception as error:  # the library raises dozens of kinds, from requests to FileNotFoundError
        raise DataError(f"Hugging Face data set {path!r}, split {split!r}: {error}") from error
    if not is_dataset(dataset):
        raise InputError(f"{path!r} is a stream; give a data set that is loaded whole")
    return read_dataset(dataset, **{"name": path, **options})
