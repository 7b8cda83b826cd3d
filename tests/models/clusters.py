"""Every deep clusterer, small and quick, for what all of them have to keep."""

from __future__ import annotations

from somscope.models.ae_kmeans import AEKMeans
from somscope.models.aec import AEC
from somscope.models.dcn import DCN
from somscope.models.dec import DEC
from somscope.models.dkm import DKM
from somscope.models.idec import IDEC
from somscope.models.vade import VaDE
from somscope.models.wamic import WaMiC

QUICK = {"n_clusters": 3, "device": "cpu", "verbose": False, "random_state": 0, "batch_size": 64}
NET = {"latent_dim": 2, "hidden": (8,), "pretrain_epochs": 10, **QUICK}
TARGET = {"n_steps": 40, "update_interval": 7, "tol": 0.0}

CLUSTERS = {
    "ae-kmeans": lambda **o: AEKMeans(**{**NET, **o}),
    "aec": lambda **o: AEC(**{"n_epochs": 4, **NET, **o}),
    "dcn": lambda **o: DCN(**{"n_epochs": 4, **NET, **o}),
    "dkm": lambda **o: DKM(**{"n_epochs": 6, **NET, **o}),
    "dkm annealed": lambda **o: DKM(**{"n_epochs": 12, **NET, "pretrain_epochs": 0, **o}),
    "dec": lambda **o: DEC(**{**TARGET, **NET, "layer_epochs": 2, **o}),
    "idec": lambda **o: IDEC(**{**TARGET, **NET, **o}),
    "vade": lambda **o: VaDE(**{"n_epochs": 4, **NET, **o}),
    "wamic": lambda **o: WaMiC(**{"n_epochs": 4, "critic": (8,), **NET, **o}),
}
