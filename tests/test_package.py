"""The package as a whole: what it exports, how quickly it starts, and who may import whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

import somscope

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "somscope"

# Imports point only upwards in this list. Modules of one line may import each other.
ORDER = (
    (
        "atomic",
        "checkpoint",
        "errors",
        "interrupt",
        "mapped",
        "parts",
        "processes",
        "progress",
        "seeds",
        "threads",
    ),
    ("measures",),  # arrays in, numbers out: depends on nothing of ours
    ("data",),
    ("maps",),
    ("nets",),
    ("objectives",),
    ("training",),
    ("codes",),
    ("models",),
    ("runs",),
    ("audit",),
    ("figures",),
    ("report",),
    (
        "auditing",
        "choosing",
        "coding",
        "duplicates",
        "mapping",
        "matching",
        "on_ray",
        "searching",
        "translating",
    ),
    ("explorer",),
    ("studies",),
    ("tuning",),
    ("cli",),
    ("__main__",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def part_of(path: Path) -> str:
    relative = path.relative_to(SOURCE)
    return relative.parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """The parts of somscope that a file imports, at its top or inside functions, also for types only."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides what is imported"
            # "from somscope import figures" names a part, "from somscope.figures import ..." holds one.
            module = node.module or ""
            names = [f"somscope.{alias.name}" for alias in node.names] if module == "somscope" else [module]
        else:
            continue
        found.update(name.split(".")[1] for name in names if name.startswith("somscope."))
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_only_upwards(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        return  # the table of public names, imported on first use
    assert part in RANK, f"{part} is not in the list of parts: add it where it belongs"
    wrong = {name for name in imports_of(path) if RANK.get(name, -1) > RANK[part]}
    assert not wrong, (
        f"{path.relative_to(SOURCE)} imports {', '.join(sorted(wrong))}, which stands below {part}"
    )


def test_measures_depend_on_arrays_alone() -> None:
    for path in (SOURCE / "measures").rglob("*.py"):
        assert imports_of(path) <= {"errors", "measures", "threads"}, path


def test_measures_are_used_from_training_down() -> None:
    for part in ("data", "maps", "nets", "objectives"):
        for path in (SOURCE / part).rglob("*.py"):
            assert "measures" not in imports_of(path), path


@pytest.mark.parametrize("name", somscope.__all__)
def test_public_names_exist(name: str) -> None:
    assert getattr(somscope, name) is not None
    assert name in dir(somscope)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = somscope.nothing


def test_every_public_module_says_what_it_exports() -> None:
    missing = []
    for path in SOURCE.rglob("[a-z]*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defines = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body)
        exports = any(
            isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
            for node in tree.body
        )
        if defines and not exports:
            missing.append(str(path.relative_to(SOURCE)))
    assert not missing


def test_version_agrees() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", somscope.__version__)
    assert metadata.version("somscope") == somscope.__version__


def test_types_are_shipped() -> None:
    assert resources.files("somscope").joinpath("py.typed").is_file()


@pytest.mark.parametrize("arguments", [["--help"], ["map", "--help"], ["data", "--help"], ["--version"]])
def test_help_does_not_load_what_is_slow(arguments: list[str]) -> None:
    code = (
        "import sys; from somscope.cli.main import main; sys.argv = ['somscope', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'torch', 'sklearn', 'scipy', 'matplotlib', 'pyarrow', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_does_not_load_torch() -> None:
    code = "import sys, somscope; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_direct_dependencies_are_pinned_for_development() -> None:
    """Each direct dependency of the package, its tests and its manual has a version in constraints.txt."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["docs"]]
    names = {re.split(r"[\[<>=!~ ]", line)[0] for line in wanted}
    pinned = {
        line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line
    }
    assert names <= pinned


def test_every_option_of_every_command_has_help() -> None:
    import typer

    from somscope.cli.main import app

    def walk(command: object, path: str) -> None:
        assert command.help, f"{path} has no help"  # type: ignore[attr-defined]
        for parameter in command.params:  # type: ignore[attr-defined]
            assert parameter.help or parameter.name == "help", f"{path}: {parameter.name} has no help"
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{path} {name}")
            if not hasattr(child, "commands"):
                assert "somscope" in child.help.split("Example")[-1], f"{path} {name} shows no example"
                assert f"somscope {name}" in child.help or path != "somscope", f"{path} {name}"

    walk(typer.main.get_command(app), "somscope")


def test_every_command_has_a_page_in_the_manual() -> None:
    import typer

    from somscope.cli.main import app

    pages = {path.stem for path in (ROOT / "docs" / "commands").glob("*.md")}
    assert pages == set(typer.main.get_command(app).commands)
    for page in sorted(pages):
        text = (ROOT / "docs" / "commands" / f"{page}.md").read_text()
        assert f"<!-- options of: {page}" in text


def test_the_manual_gets_its_options_from_the_commands() -> None:
    sys.path.insert(0, str(ROOT / "docs" / "hooks"))
    try:
        import command_options  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    page = command_options.on_page_markdown("# Title\n\n<!-- options of: map -->\n\nend")
    assert "| `--seed` | The same seed gives the same map. | `0` |" in page
    assert "| `--model` | What is trained: som, sgd-som," in page
    assert (
        "| `--clusters` | Also join the units into so many clusters, of som and contrastive-som. |  |" in page
    )
    assert "`--lattice` rectangular \\| hexagonal" in page
    assert "| `DATA` |" in page
    assert "<!--" not in page
    assert page.endswith("end")
