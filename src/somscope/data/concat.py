"""Several collections one after the other, for parts such as train+test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.data.collection import Collection
from somscope.errors import InputError

__all__ = ["concatenate"]


def concatenate(parts: Sequence[Collection], name: str) -> Collection:
    """All items of `parts` in order; ids must differ, and kind, features and classes must agree.

    Texts, paths and metadata are kept when every part has them (with the same columns).
    Raises InputError when the parts do not fit together.
    """
    if not parts:
        raise InputError(f"{name}: no parts to put together")
    first = parts[0]
    for part in parts[1:]:
        here = (part.kind, part.features.shape[1:], part.features.dtype, part.label_names, part.feature_names)
        if here != (
            first.kind,
            first.features.shape[1:],
            first.features.dtype,
            first.label_names,
            first.feature_names,
        ) or not _same(part.idf, first.idf):
            raise InputError(f"{name}: {first.name} and {part.name} differ in kind, features, idf or classes")
    labels = [part.labels for part in parts if part.labels is not None]
    texts = [part.texts for part in parts if part.texts is not None]
    paths = [part.paths for part in parts if part.paths is not None]
    tables = [part.metadata for part in parts if part.metadata is not None]
    metadata = None
    if len(tables) == len(parts) and all(table.schema == tables[0].schema for table in tables):
        import pyarrow as pa

        metadata = pa.concat_tables(tables)
    features = [part.features for part in parts]
    return Collection(
        name=name,
        kind=first.kind,
        features=sparse.vstack(features, format="csr")
        if sparse.issparse(features[0])
        else np.concatenate(features),
        ids=np.concatenate([part.ids for part in parts]),
        labels=np.concatenate(labels) if len(labels) == len(parts) else None,
        label_names=first.label_names if len(labels) == len(parts) else (),
        texts=np.concatenate(texts) if len(texts) == len(parts) else None,
        metadata=metadata,
        feature_names=first.feature_names,
        idf=first.idf,
        paths=np.concatenate(paths) if len(paths) == len(parts) else None,
        skipped=tuple(item for part in parts for item in part.skipped),
        source={"parts": [part.source for part in parts]},
    )


def _same(one: NDArray[Any] | None, other: NDArray[Any] | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)
