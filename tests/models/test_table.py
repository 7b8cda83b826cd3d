"""The table of models: every name leads to the class that files of that name are read by."""

from __future__ import annotations

import subprocess
import sys

import pytest

from somscope.errors import InputError
from somscope.models.table import CLUSTERERS, GROWING, MAPS, MODELS, model_class


@pytest.mark.parametrize("name", MODELS)
def test_names_and_classes_agree(name):
    cls = model_class(name)
    assert name == getattr(cls, "model_name", "som")
    assert {"fit", "predict", "best_units", "transform", "save", "load"} <= set(dir(cls))
    size = {"grid"} if name in MAPS else {"n_clusters"} if name in CLUSTERERS else set()
    always = {"random_state", "verbose"} | ({"device"} if name not in GROWING else set())
    assert size | always <= cls().get_params().keys()


def test_another_name_is_refused():
    with pytest.raises(InputError, match="model='umap' is not known; allowed: som, sgd-som, ae-som, desom"):
        model_class("umap")


def test_the_table_itself_loads_nothing_slow():
    code = "import sys, somscope.models.table; assert not {'torch', 'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
