"""somscope translate: train an image translator on pairs, use one, and audit what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from somscope.cli.console import OUT, say_note
from somscope.cli.group import command_line
from somscope.cli.options import default_run
from somscope.errors import InputError
from somscope.processes import process_rank

if TYPE_CHECKING:
    from somscope.data.collection import Collection
    from somscope.data.pairs import Pairs
    from somscope.translating import Translator

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Translate images after pairs of examples (pix2pix).")

_NETS = "The networks"
_TRAINING = "The training"
_FILE = "What a file of the authors' code does not say"

PairsFolder = Annotated[
    Path | None,
    typer.Argument(
        help="A folder of images with A on the left half and B on the right one.", metavar="[PAIRS]"
    ),
]
SideA = Annotated[Path | None, typer.Option(help="Instead of PAIRS: the folder of images A.")]
SideB = Annotated[Path | None, typer.Option(help="And the folder of images B, of the same names.")]
ImageSize = Annotated[
    str | None, typer.Option(help="Pixels of an image, such as 128 or 96x128.", metavar="SIZE")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the network runs.")]
Mode = Annotated[
    Literal["deterministic", "official", "eval"],
    typer.Option(
        help="deterministic: statistics of each image, no dropout; official: with dropout, as the authors' script; "
        "eval: running statistics."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the dropout of --mode official.")]
Model = Annotated[Path, typer.Argument(help="A run of `translate train`, or a *_net_G.pth.", metavar="MODEL")]
Arch = Annotated[
    str | None,
    typer.Option(
        help="The generator that it has to be, such as unet_256.", metavar="NAME", rich_help_panel=_FILE
    ),
]
Direction = Annotated[
    Literal["AtoB", "BtoA"] | None,
    typer.Option(help="Which half of a pair it is given; a run knows.", rich_help_panel=_FILE),
]
Dropout = Annotated[
    bool | None, typer.Option("--dropout/--no-dropout", help="Whether a U-Net has it.", rich_help_panel=_FILE)
]


@app.command("train")
def train_command(
    context: typer.Context,
    pairs: PairsFolder = None,
    source: SideA = None,
    target: SideB = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder to write; by default runs/NAME.")
    ] = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was not finished.")
    ] = False,
    direction: Annotated[
        Literal["AtoB", "BtoA"], typer.Option(help="Which of the two is given, and which is made.")
    ] = "AtoB",
    names: Annotated[
        str, typer.Option(help="Of the domains A and B, such as edges,shoes.", metavar="A,B")
    ] = "A,B",
    image_size: ImageSize = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Train on so many pairs, drawn with the seed.")
    ] = None,
    generator: Annotated[
        str,
        typer.Option(
            help="unet_256, unet_128 and the like, resnet_9blocks, resnet_6blocks, or auto: a U-Net for the size.",
            metavar="NAME",
            rich_help_panel=_NETS,
        ),
    ] = "auto",
    filters: Annotated[
        int, typer.Option(min=1, help="Of the generator's first layer.", rich_help_panel=_NETS)
    ] = 64,
    discriminator: Annotated[
        Literal["patch", "pixel"], typer.Option(help="What it judges.", rich_help_panel=_NETS)
    ] = "patch",
    layers: Annotated[
        int,
        typer.Option(min=1, help="Of a discriminator of patches; 3: 70x70 pixels.", rich_help_panel=_NETS),
    ] = 3,
    norm: Annotated[
        Literal["batch", "instance", "none"], typer.Option(help="Normalisation.", rich_help_panel=_NETS)
    ] = "batch",
    dropout: Annotated[
        bool, typer.Option("--dropout/--no-dropout", help="In the generator.", rich_help_panel=_NETS)
    ] = True,
    objective: Annotated[
        Literal["vanilla", "lsgan", "wgangp"], typer.Option(help="Of the rivals.", rich_help_panel=_TRAINING)
    ] = "vanilla",
    l1: Annotated[
        float, typer.Option(help="Weight of the distance to the target.", rich_help_panel=_TRAINING)
    ] = 100.0,
    epochs: Annotated[
        int, typer.Option(min=0, help="Passes at the full learning rate.", rich_help_panel=_TRAINING)
    ] = 100,
    decay: Annotated[
        int,
        typer.Option(
            min=0, help="Passes after those, with a rate that falls to 0.", rich_help_panel=_TRAINING
        ),
    ] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="In pairs.", rich_help_panel=_TRAINING)] = 1,
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", help="Mirror pairs at random.", rich_help_panel=_TRAINING)
    ] = True,
    pool: Annotated[
        int,
        typer.Option(
            min=0, help="Made images that the discriminator is shown again.", rich_help_panel=_TRAINING
        ),
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same translator.", rich_help_panel=_TRAINING)
    ] = 0,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], typer.Option(help="Of the networks' products; auto is fp32.")
    ] = "auto",
) -> None:
    """Train pix2pix on pairs of images, as published, and write a run folder.

    Of PAIRS with a folder `train` inside only that one is used. Images of other sizes are resized to that which most
    have, at most 256x256. Ctrl-C keeps what was learned so far, and --resume goes on.

    Examples:

    `somscope translate train pairs/ --direction AtoB -o runs/shoes`

    `somscope translate train --source photos/ --target drawings/ -o runs/drawings`
    """
    from somscope.runs import check_checkpoints, check_target, may_replace

    parts = [part.strip() for part in names.split(",")]
    where = default_run(str(pairs or target or "pairs")) if out is None else out
    _check_apart(where, pairs, source, target)
    check_checkpoints(where, overwrite, resume)  # first: a run that Ctrl-C ended has some, and can go on
    check_target(where, may_replace(where, overwrite, resume))

    from somscope.models.pix2pix import Pix2Pix
    from somscope.translating import train_translator

    parameters: dict[str, Any] = {
        "direction": direction,
        "domain_names": tuple(parts),
        "generator": generator,
        "filters": filters,
        "discriminator": discriminator,
        "n_layers": layers,
        "norm": norm,
        "dropout": dropout,
        "objective": objective,
        "l1": l1,
        "n_epochs": epochs,
        "n_decay_epochs": decay,
        "batch_size": batch_size,
        "flip": flip,
        "pool_size": pool,
        "random_state": seed,
        "device": device,
        "precision": precision,
    }
    Pix2Pix(**parameters).check_parameters()
    read = _pairs(pairs, source, target, image_size, "train", limit, seed)
    run = train_translator(
        read, where, parameters, overwrite=overwrite, resume=resume, command=command_line(context)
    )
    if process_rank() == 0:
        OUT.print(f"run: {run}", soft_wrap=True, markup=False)
        if (run / "report.html").is_file():
            OUT.print(f"report: {run / 'report.html'}", soft_wrap=True, markup=False)
        OUT.print(
            f"translate with:  somscope translate apply {run} IMAGES -o out/", soft_wrap=True, markup=False
        )


@app.command("apply")
def apply_command(
    context: typer.Context,
    model: Model,
    images: Annotated[
        Path, typer.Argument(help="A folder of images that the generator is given.", metavar="IMAGES")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    aligned: Annotated[
        bool, typer.Option("--aligned", help="IMAGES are pairs: A on the left half, B on the right one.")
    ] = False,
    overwrite: Overwrite = False,
    image_size: ImageSize = None,
    mode: Mode = "deterministic",
    seed: Seed = 0,
    arch: Arch = None,
    direction: Direction = None,
    dropout: Dropout = None,
    device: Device = "auto",
) -> None:
    """Translate images with a trained generator.

    MODEL is a run, or a generator in a `.pth` file of the authors' code, which is read without executing it. OUT holds
    `images/NAME_real_A.png` (what was given), `NAME_fake_B.png` (what was made) and, of pairs, `NAME_real_B.png`, and
    a contact sheet. Images are brought to the size that the translator was trained on.

    Examples:

    `somscope translate apply runs/shoes photos/ -o out/`

    `somscope translate apply latest_net_G.pth photos/ -o out/ --arch unet_256`
    """
    _check_apart(out, model, images)
    translator = _open(model, arch, direction, dropout, device)
    size = image_size or _size_of(translator)
    target = None
    if aligned:
        from somscope.data.aligned import read_aligned

        given, target = _sides(translator, read_aligned(images, image_size=size))
    else:
        from somscope.data.aligned import look_aligned, read_picture_folder

        shape = translator.model.image_size_ or (1, 1)
        if look_aligned(images, *shape):
            say_note(
                f"images in {images} are twice as wide as those that it takes: if they are pairs, give --aligned"
            )
        given = read_picture_folder(images, image_size=size)
    _apply(context, translator, given, target, out, mode, seed, overwrite)


@app.command("audit")
def audit_command(
    context: typer.Context,
    model: Model,
    pairs: PairsFolder = None,
    source: SideA = None,
    target: SideB = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; by default audits/NAME.")
    ] = None,
    overwrite: Overwrite = False,
    image_size: ImageSize = None,
    mode: Mode = "deterministic",
    seed: Seed = 0,
    arch: Arch = None,
    direction: Direction = None,
    dropout: Dropout = None,
    device: Device = "auto",
) -> None:
    """Translate the given side of pairs, and compare what was made with the other side, as `somscope audit` does.

    OUT gets what `translate apply` writes, and the report in OUT/audit. Of PAIRS with a folder `test` inside only that
    one is used.

    Example:

    `somscope translate audit runs/shoes pairs/test -o audits/shoes`
    """
    if out is not None:
        _check_apart(out, model, pairs, source, target)
    translator = _open(model, arch, direction, dropout, device)
    read = _pairs(pairs, source, target, image_size or _size_of(translator), "test", None, 0)
    given, wanted = _sides(translator, read)
    where = Path("audits") / translator.name if out is None else out
    _apply(context, translator, given, wanted, where, mode, seed, overwrite)

    from dataclasses import replace

    from somscope.audit import read_pix2pix
    from somscope.auditing import audit_images

    result = audit_images(replace(read_pix2pix(where), name=translator.name))
    folder = result.save(where / "audit")
    for finding in result.findings:
        if finding.severity == "problem":
            say_note(finding.text)
    for conclusion in result.conclusions:
        OUT.print(
            f"{conclusion.question} {conclusion.answer} ({conclusion.sure})", soft_wrap=True, markup=False
        )
    OUT.print(f"report: {folder / 'report.html'}", soft_wrap=True, markup=False)


def _check_apart(out: Path, *read: Path | None) -> None:
    """Raise InputError where replacing `out` would delete what is read."""
    for path in read:
        if path is not None and path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"{out} holds what is read, {path}: choose another output folder")


def _open(
    model: Path, arch: str | None, direction: str | None, dropout: bool | None, device: str
) -> Translator:
    from somscope.translating import open_translator

    translator = open_translator(model, generator=arch, direction=direction, dropout=dropout, device=device)
    for note in translator.model.notes_:
        say_note(f"{model.name}: {note}")
    return translator


def _size_of(translator: Translator) -> str | None:
    size = translator.model.image_size_
    return None if size is None else f"{size[0]}x{size[1]}"


def _pairs(
    pairs: Path | None, source: Path | None, target: Path | None, size: str | None, part: str, limit: int | None,
    seed: int,
) -> Pairs:  # fmt: skip
    from somscope.data.aligned import read_aligned, read_two_folders

    if pairs is not None and source is None and target is None:
        if (pairs / part).is_dir():
            pairs = pairs / part
            say_note(f"reading {pairs}")
        read = read_aligned(pairs, image_size=size, limit=limit, seed=seed if limit else None)
    elif pairs is None and source is not None and target is not None:
        read = read_two_folders(source, target, image_size=size)
        read = read.sample(limit, seed) if limit else read
    else:
        raise InputError("give a folder of pairs, or --source and --target")
    skipped = {item.where: item.why for side in (read.a, read.b) for item in side.skipped}
    if skipped:
        where, why = next(iter(skipped.items()))
        say_note(f"{len(skipped)} files cannot be used, such as {where}: {why}")
    if read.unmatched_a or read.unmatched_b:
        say_note(read.summary())
    return read


def _sides(translator: Translator, pairs: Pairs) -> tuple[Collection, Collection]:
    return (pairs.a, pairs.b) if translator.model.direction == "AtoB" else (pairs.b, pairs.a)


def _apply(
    context: typer.Context, translator: Translator, source: Collection, target: Collection | None, out: Path,
    mode: str, seed: int, overwrite: bool,
) -> None:  # fmt: skip
    from somscope.translating import translate_images

    done = translate_images(
        translator, source, out, target=target, mode=mode, seed=seed, overwrite=overwrite,
        command=command_line(context),
    )  # fmt: skip
    if source.skipped:
        say_note(f"{len(source.skipped)} files cannot be used, such as {source.skipped[0].where}: "
                 f"{source.skipped[0].why}")  # fmt: skip
    OUT.print(f"{done.n_images} images: {done.path / 'images'}", soft_wrap=True, markup=False)
    OUT.print(f"contact sheet: {done.path / 'contact-sheet.png'}", soft_wrap=True, markup=False)
