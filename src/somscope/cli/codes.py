"""somscope codes, search and duplicates: binary codes of a collection, and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from somscope.cli.console import OUT, say_note
from somscope.cli.group import EXIT_INCOMPLETE, EXIT_INTERRUPTED, command_line
from somscope.cli.options import default_run
from somscope.errors import InputError, RunError, check_choice
from somscope.models.table import CODERS

if TYPE_CHECKING:
    from somscope.searching import Hit

__all__ = ["codes_command", "duplicates_command", "search_command"]

_SHOWN = 20  # groups
_COMPARED = 64  # pixels along each side of files, in `duplicates`


def codes_command(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="Anything that `somscope map` reads.", metavar="DATA")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder to write; by default runs/NAME-codes.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training of a network that was not finished.")
    ] = False,
    model: Annotated[str, typer.Option(help=f"The coder: {', '.join(CODERS)}.", metavar="NAME")] = "itq",
    bits: Annotated[int, typer.Option(help="Bits of a code, a multiple of 8.")] = 32,
    features: Annotated[
        str,
        typer.Option(
            help="What the coder gets: pixels, gist, kmeans, or a run folder whose network encodes."
        ),
    ] = "pixels",
    index: Annotated[
        Literal["exact", "ivf", "hnsw", "multi-hash"], typer.Option(help="How codes are searched.")
    ] = "exact",
    image_size: Annotated[
        int | None, typer.Option(help="Pixels along each side that images are brought to.", metavar="PIXELS")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many items.", metavar="N")] = None,
    patches: Annotated[
        int | None,
        typer.Option(
            help="Code 32x32 patches about at most so many keypoints of each image of a folder, for `somscope match`.",
            metavar="N",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same codes.")] = 0,
) -> None:
    """Turn each item into a few bits, and write an index that finds items by them.

    The run folder holds the coder, the index, figures of the bits, and a report with examples; `somscope search` looks
    images up in it.

    Example:

    `somscope codes photos/ --bits 64 --model itq --features gist -o runs/codes`
    """
    from somscope.codes.packing import check_bits
    from somscope.processes import process_rank, was_restarted
    from somscope.runs import check_checkpoints, check_target, may_replace

    target = out or default_run(data).with_name(f"{default_run(data).name}-codes")
    going_on = resume or was_restarted()
    check_target(target, may_replace(target, overwrite, going_on))
    check_checkpoints(target, overwrite, going_on)
    check_bits(bits)
    check_choice("model", model, CODERS)
    from somscope.cli.summary import show_skipped
    from somscope.coding import code_collection
    from somscope.data import open_collection

    given: dict[str, Any] = {"image_size": image_size, "limit": limit}
    given = {name: value for name, value in given.items() if value is not None}
    if patches is None:
        collection = open_collection(data, **given)
    elif given:
        raise InputError("--patches cuts patches of its own size: leave --image-size and --limit out")
    else:
        from somscope.data.keypoints import patch_collection

        collection = patch_collection(data, patches)
    run = code_collection(
        collection, target, model, bits, features,
        parameters={"task": "matching"} if patches is not None and model == "bingan" else None,
        kind=index, seed=seed, overwrite=overwrite, resume=resume, command=command_line(context),
    )  # fmt: skip
    if process_rank() > 0:
        return
    show_skipped(run.config["collection"]["skipped"])
    for text in run.config["warnings"]:
        say_note(text)
    metrics = run.metrics()
    OUT.print(
        f"{len(run.index):,} codes of {bits} bits ({metrics['effective_bits']} effective), {bits // 8} bytes each"
    )
    if run.config.get("left_out"):
        raise typer.Exit(EXIT_INCOMPLETE)
    OUT.print(f"report: {run.path / 'report.html'}", soft_wrap=True, markup=False)
    if len(run.index) < collection.n_items:
        raise typer.Exit(EXIT_INTERRUPTED)


def search_command(
    run: Annotated[Path, typer.Argument(help="A run folder, as `somscope codes` writes it.", metavar="RUN")],
    query: Annotated[Path, typer.Argument(help="An image file.", metavar="QUERY")],
    k: Annotated[
        int | None, typer.Option("-k", help="How many images to find; by default 20, or all of fewer.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a contact sheet to this HTML file.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Open the contact sheet; by default search.html.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
) -> None:
    """Find the images of a run whose codes are nearest to that of an image.

    They are ranked by the number of bits that differ; those of equal distance stand in the order of the collection.

    Example:

    `somscope search runs/codes query.jpg -k 20 --open`
    """
    target = _target(out, show, Path("search.html"), overwrite)
    from somscope.runs.code_run import CodeRun
    from somscope.searching import search_image, write_hits

    opened = CodeRun.open(run)
    hits = search_image(opened, query, min(20, len(opened.index)) if k is None else k)
    _show(hits)
    if target is not None:
        _written(write_hits(opened, query, hits, target), show)


def duplicates_command(
    data: Annotated[
        str, typer.Argument(help="A folder of images, or another collection of them.", metavar="FOLDER")
    ],
    radius: Annotated[
        int, typer.Option(help="Bits in which codes of near-duplicates may differ.", min=0)
    ] = 3,
    bits: Annotated[int, typer.Option(help="Bits of a code, a multiple of 8.")] = 64,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Pixels along each side that images are brought to; by default 64 where files are read.",
            metavar="PIXELS",
            min=8,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a contact sheet to this HTML file.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Open the contact sheet; by default duplicates.html.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
) -> None:
    """Find groups of images that are nearly the same: resized, compressed again, brighter or darker.

    Nothing is deleted. Images are compared by what edges lie where, not by colour.

    Example:

    `somscope duplicates photos/ --radius 3`
    """
    target = _target(out, show, Path("duplicates.html"), overwrite)
    from somscope.cli.summary import show_skipped
    from somscope.codes.packing import check_bits
    from somscope.data import open_collection
    from somscope.data.open import options_of
    from somscope.duplicates import duplicate_groups, write_duplicates

    check_bits(bits)
    if image_size is None and "image_size" in options_of(data, {}):
        image_size = _COMPARED
    given: dict[str, Any] = {} if image_size is None else {"image_size": (image_size, image_size)}
    collection = open_collection(data, **given)
    groups = duplicate_groups(collection, radius, bits)
    show_skipped([{"where": item.where, "why": item.why} for item in collection.skipped])
    found = sum(map(len, groups))
    OUT.print(
        f"{len(groups)} group{'' if len(groups) == 1 else 's'} with {found} of {collection.n_items:,} images: "
        f"up to {radius} of {bits} bits apart"
    )
    for group in groups[:_SHOWN]:
        OUT.print(
            "  " + ", ".join(f"{hit.id} ({hit.distance})" for hit in group), soft_wrap=True, markup=False
        )
    if len(groups) > _SHOWN:
        OUT.print(f"  and {len(groups) - _SHOWN} more: --out writes all of them")
    if target is not None:
        _written(write_duplicates(collection, groups, radius, target), show)


def _target(out: Path | None, show: bool, name: Path, overwrite: bool) -> Path | None:
    target = name if out is None and show else out
    if target is not None and target.exists() and not overwrite and out is not None:
        raise RunError(f"{target} exists: choose another file, or give --overwrite to replace it")
    return target


def _show(hits: Sequence[Hit]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for name in ("rank", "bits", "id", "label"):
        table.add_column(name, justify="right" if name in ("rank", "bits") else "left")
    for rank, hit in enumerate(hits, 1):
        table.add_row(str(rank), str(hit.distance), escape(hit.id), escape(hit.label or ""))
    OUT.print(table)


def _written(path: Path, show: bool) -> None:
    OUT.print(f"contact sheet: {path}", soft_wrap=True, markup=False)
    if show:
        typer.launch(str(path))
