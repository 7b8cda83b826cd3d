"""somscope pairs: pairs of images for a translator, made from images alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from somscope.cli.console import OUT, say_note

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Make pairs of images: A is made of B, the image itself.")

_WHAT = {
    "edges": "Pairs of edges (Canny's detector, black on white) and images.",
    "grey": "Pairs of grey and coloured images.",
    "inpaint": "Pairs of images with a grey square in the middle, and whole ones.",
    "downsample": "Pairs of images at a quarter of the resolution, and sharp ones.",
}


def _command(kind: str, text: str) -> Callable[..., None]:
    def run(
        data: Annotated[
            str, typer.Argument(help="A folder of images, or a named set: see `data list`.", metavar="DATA")
        ],
        out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
        image_size: Annotated[
            str | None,
            typer.Option(help="Resize images to these pixels: 64, or HEIGHTxWIDTH.", metavar="SIZE"),
        ] = None,
        limit: Annotated[
            int | None, typer.Option(min=1, help="Use only so many images, drawn with the seed.")
        ] = None,
        test: Annotated[
            float, typer.Option(min=0.0, max=0.9, help="Share of pairs for the folder test.")
        ] = 0.1,
        seed: Annotated[
            int, typer.Option(min=0, help="Which images, and which of them are for the test.")
        ] = 0,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    ) -> None:
        from somscope.data import open_collection
        from somscope.translating import write_pairs

        reading: dict[str, Any] = {
            "image_size": image_size,
            "limit": limit,
            "seed": seed if limit is not None else None,
        }
        collection = open_collection(data, **{k: v for k, v in reading.items() if v is not None})
        if collection.skipped:
            say_note(f"{len(collection.skipped)} files cannot be used, such as {collection.skipped[0].where}: "
                     f"{collection.skipped[0].why}")  # fmt: skip
        counts = write_pairs(collection, kind, out, test=test, seed=seed, overwrite=overwrite)
        for part, n in counts.items():
            OUT.print(f"{n} pairs: {out / part}", soft_wrap=True, markup=False)

    run.__doc__ = f"""{text}

    Files have A on the left half and B on the right one, in OUT/train and OUT/test, as `translate train` reads them.

    Example:

    `somscope pairs {kind} fashion-mnist:sample -o pairs/`
    """
    return run


for _kind, _text in _WHAT.items():
    app.command(_kind)(_command(_kind, _text))
