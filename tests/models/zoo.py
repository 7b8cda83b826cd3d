"""Every deep map, small and quick, for what all of them have to keep."""

from __future__ import annotations

from somscope.models.ae_som import AESOM
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.conv_desom import ConvDESOM
from somscope.models.deep_neural_map import DeepNeuralMap
from somscope.models.desom import DESOM
from somscope.models.dpsom import DPSOM
from somscope.models.sgd_som import SGDSOM
from somscope.models.som_vae import SOMVAE

QUICK = {"grid": (1, 3), "device": "cpu", "verbose": False, "random_state": 0}
NET = {"latent_dim": 2, "hidden": (8,), **QUICK}

# Models of images of one size, and of whole sequences, cannot take the items of scikit-learn's checks.
PARTICULAR = ("conv-desom", "som-vae transitions")

ZOO = {
    "desom": lambda **o: DESOM(**{"n_steps": 30, "finish_steps": 10, **NET, **o}),
    "desom legacy": lambda **o: DESOM(**{"n_steps": 60, "legacy": True, "finish": "som", **NET, **o}),
    "sgd-som": lambda **o: SGDSOM(
        **{"n_steps": 50, "learning_rate": 0.1, "temperature": (2.0, 0.5), **QUICK, **o}
    ),
    "ae-som": lambda **o: AESOM(**{"n_steps": 50, "pretrain_epochs": 10, "learning_rate": 0.05, **NET, **o}),
    "som-vae": lambda **o: SOMVAE(**{"n_epochs": 15, "learning_rate": 0.02, **NET, **o}),
    "dpsom": lambda **o: DPSOM(
        **{
            "pretrain_epochs": 5,
            "som_epochs": 2,
            "n_epochs": 5,
            "learning_rate": 0.02,
            "batch_size": 32,
            **NET,
            **o,
        }
    ),
    "deep-neural-map": lambda **o: DeepNeuralMap(
        **{"pretrain_epochs": 5, "n_epochs": 5, "learning_rate": 0.02, **NET, **o}
    ),
    "conv-desom": lambda **o: ConvDESOM(
        **{
            "filters": (3,),
            "image_shape": (2, 10, 1),
            "latent_dim": 2,
            "n_steps": 30,
            "finish_steps": 10,
            **QUICK,
            **o,
        }
    ),
    "som-vae transitions": lambda **o: SOMVAE(
        **{"transitions": True, "sequence_length": 12, "n_epochs": 5, "learning_rate": 0.02, **NET, **o}
    ),
    "contrastive-som": lambda **o: ContrastiveSOM(
        **{
            "n_steps": 30,
            "joint_steps": 10,
            "decoder_steps": 20,
            "batch_size": 64,
            "learning_rate": 0.01,
            "latent_dim": 4,
            "hidden": (8,),
        }
        | QUICK
        | o
    ),
    "ae-som batch": lambda **o: AESOM(**{"method": "batch", "pretrain_epochs": 3, **NET, **o}),
}
