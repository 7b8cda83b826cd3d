"""The readers of single files under atheris, which looks for content that reaches new code; not a part of the suite.

    pip install atheris
    PYTHONPATH=. python tests/fuzz/guided.py "npz" -max_total_time=60

The first argument is a name of `benchmarks.faults.loaders.LOADERS`, the others are those of libFuzzer. It begins with
the valid file, and ends with a traceback where something is raised that is none of somscope's own errors.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["somscope", "PIL", "zipfile", "numpy.lib"]):
    from benchmarks.faults.hostile import Prepared, attempt
    from benchmarks.faults.loaders import LOADERS


def main() -> None:
    loader = LOADERS[sys.argv.pop(1)]
    part = loader.parts[0]
    with tempfile.TemporaryDirectory() as folder:
        prepared = Prepared(loader, Path(folder) / "files")
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        (corpus / "valid").write_bytes(prepared.whole(part))

        def one(content: bytes) -> None:
            prepared.put(part, content)
            attempt(prepared)

        atheris.Setup([*sys.argv, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
