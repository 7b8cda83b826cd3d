"""somscope relevance: what the relevances of a growing map mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from somscope.cli.console import OUT, say_note
from somscope.errors import RunError

if TYPE_CHECKING:
    from somscope.data import Collection
    from somscope.runs import Run

__all__ = ["relevance_command"]

_MOST_UNITS = 8  # in a figure, those with most items
_MOST_ITEMS = 3000  # laid out by t-SNE
_TOLD = 5  # columns, the most and the least relevant ones
_FRESH = 0.999  # relevances from here on are those of dimensions that were never updated
_WATCHED = ("purity", "nmi_arithmetic")  # columns of the history, with `somscope map --watch`


def relevance_command(
    run: Annotated[Path, typer.Argument(help="A run of somrl, larfdssom or dc-somrl.", metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; by default RUN/relevance.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Items that the map has not seen: those nearest to each unit, and t-SNE."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the directions and of t-SNE.")] = 0,
) -> None:
    """Show which dimensions matter to which unit, and what they do.

    Written are the relevances as a histogram and for each unit, and, of dc-somrl on images: prototypes with dimensions
    disturbed below and above a relevance, one relevant dimension walked from 0 to 1, and what units of one kind have in
    common. relevance.json holds the numbers, among them how many times more the decoded prototypes change with the most
    relevant third of their dimensions than with the least relevant third.

    Example:

    `somscope relevance runs/somrl --data fashion-mnist:test`
    """
    from somscope.runs import Run, conform, make_folder, open_like

    opened = Run.open(run)
    model = opened.model()
    if not hasattr(model, "relevances_"):
        raise RunError(f"{run} has no relevances: it is a run of {opened.config['model']['name']}")
    unseen = None if data is None else conform(opened, open_like(opened, data))
    folder = run / "relevance" if out is None else out
    make_folder(folder)
    numbers = _write(opened, model, unseen, folder, seed)
    OUT.print(
        f"{numbers['share_never_updated']:.0%} of the relevances belong to units that were never updated"
    )
    if columns := numbers.get("mean_relevance"):
        OUT.print(f"columns, the most relevant first: {_listed(columns)}", soft_wrap=True, markup=False)
    if (ratio := numbers.get("perturbation_ratio")) is not None:
        OUT.print(
            f"disturbing the most relevant third of the dimensions changes a decoded prototype {ratio:.2f} times as "
            f"much as disturbing the least relevant third; with thirds chosen by what they change it would be "
            f"{numbers['largest_ratio']:.2f}",
            soft_wrap=True,
        )
    OUT.print(f"written: {folder}", soft_wrap=True, markup=False)


def _listed(columns: dict[str, float]) -> str:
    """Columns and their relevances, the first and the last ones of many."""
    told = [f"{name} {mean:.2f}" for name, mean in sorted(columns.items(), key=lambda item: -item[1])]
    return ", ".join(told if len(told) <= 2 * _TOLD else [*told[:_TOLD], "...", *told[-_TOLD:]])


def _write(opened: Run, model: Any, unseen: Collection | None, folder: Path, seed: int) -> dict[str, Any]:
    import numpy as np

    from somscope import figures, measures
    from somscope.runs.jsonfile import write_object

    relevances = model.relevances_
    numbers: dict[str, Any] = {
        "n_units": len(relevances),
        "share_never_updated": float((relevances.min(axis=1) > _FRESH).mean()),
        "share_of_relevances": np.histogram(relevances, np.linspace(0, 1, 11))[0] / relevances.size,
    }
    numbers["share_of_relevances"] = numbers["share_of_relevances"].tolist()
    columns = () if hasattr(model, "encode") else opened.config["collection"]["feature_names"] or ()
    taught = relevances[np.ptp(relevances, axis=1) > 0]
    if columns and len(taught):
        numbers["mean_relevance"] = dict(zip(columns, taught.mean(axis=0).tolist(), strict=True))
    figures.save_figure(figures.relevance_figure(relevances, columns), folder / "relevances.png")
    history = opened.history().to_pydict()
    if all(name in history for name in _WATCHED):
        figures.save_figure(figures.training_curves_figure(history, _WATCHED), folder / "agreement.png")
    images = opened.config["collection"]["kind"] == "images"
    shape = opened.config["collection"].get("image_shape")
    if hasattr(model, "decode"):
        found = measures.perturbation_ratio(model.prototypes_, relevances, model.decode, seed=seed)
        numbers["perturbation_ratio"] = found.ratio if np.isfinite(found.ratio) else None
        effects = measures.dimension_effects(model.prototypes_, model.decode, seed=seed)
        largest = measures.perturbation_ratio(model.prototypes_, effects, model.decode, seed=seed).ratio
        numbers["largest_ratio"] = largest if np.isfinite(largest) else None
        numbers["units_compared"] = int(np.isfinite(found.least).sum())
        if numbers["perturbation_ratio"] is None:
            say_note("no unit's relevances differ: nothing to compare")
        if images:
            _pictures(opened, model, shape, folder, seed)
    else:
        say_note("the model decodes nothing: only the relevances themselves are shown")
    if unseen is not None:
        _unseen(model, unseen, shape if images else None, folder, seed)
    write_object(folder / "relevance.json", numbers)
    return numbers


def _pictures(opened: Run, model: Any, shape: list[int], folder: Path, seed: int) -> None:
    from somscope import figures

    start, weight = model.prototypes_, model.relevances_
    most = figures.taught_units(weight, model.hits_)
    if len(most):
        drawn = figures.perturbation_figure(start, weight, model.decode, shape, most, seed)
        figures.save_figure(drawn, folder / "perturbation.png")
        walked = figures.traversal_figure(start, weight, model.decode, shape, most)
        figures.save_figure(walked, folder / "traversal.png")
    table = opened.assignments()
    labels = [name or "" for name in table["label"].to_pylist()]
    groups = figures.units_of_a_kind(model.hits_, model.connections_, table["unit"].to_numpy(), labels)
    if groups:
        shared = figures.intersections_figure(groups, model.decoded_prototypes_, shape)
        figures.save_figure(shared, folder / "intersections.png")


def _unseen(model: Any, unseen: Collection, shape: list[int] | None, folder: Path, seed: int) -> None:
    import numpy as np

    from somscope import figures, measures
    from somscope.figures.contact_sheet import contact_sheet_figure
    from somscope.figures.relevances import as_bytes
    from somscope.runs.features import feature_matrix, shown_prototypes

    deep = hasattr(model, "encode")
    pictures = shown_prototypes(model)
    if shape is not None:
        most = np.argsort(-model.hits_, kind="stable")[:_MOST_UNITS]
        shown = as_bytes(pictures[most], shape)
        near = measures.nearest_items(pictures[most], feature_matrix(unseen), min(10, unseen.n_items))
        sheet = {"prototype": shown}
        sheet |= {str(i + 1): np.asarray(unseen.features[near[:, i]]) for i in range(near.shape[1])}
        figures.save_figure(
            contact_sheet_figure(sheet, [f"unit {u}" for u in most]), folder / "nearest_unseen.png"
        )
    rows = np.random.default_rng(seed).permutation(unseen.n_items)[:_MOST_ITEMS]
    some = unseen.take(np.sort(rows))
    codes = model.encode(some) if deep else model.interval_.scaled(feature_matrix(some))
    items, units = figures.tsne_places(codes, model.prototypes_ if deep else model.centres_, seed)
    drawn = figures.embedding_figure(
        items,
        units,
        model.connections_,
        images=None if shape is None else as_bytes(pictures, shape),
        labels=some.labels,
        names=tuple(some.label_names or ()),
    )
    figures.save_figure(drawn, folder / "tsne.png")
