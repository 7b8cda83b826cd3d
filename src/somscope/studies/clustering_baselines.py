"""Deep clustering beside k-means: DEC, IDEC, DCN, DKM, AEC, VaDE, WaMiC and Deep Neural Maps, on the same splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from somscope.studies.declare import PROTOCOLS, Entry, Study

__all__ = ["CLUSTERING_BASELINES"]

# data -> classes, which are the number of clusters
_CLASSES = {"mnist": 10, "fashion-mnist": 10, "usps": 10, "reuters-21578": 10, "reuters-rcv1": 4}
_UNSPLIT = ("reuters-rcv1",)  # has no test part: the paper's protocol only
_REUTERS = ("reuters-21578", "reuters-rcv1")


@dataclass(frozen=True)
class _Line:
    """One model on every data set and protocol.

    published: data -> accuracy. of_data: data -> parameters that its authors chose for it.
    """

    model: str
    variant: str = "default"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    of_data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_OF_DEC = {name: {"update_interval": 20} for name in _REUTERS} | {"usps": {"update_interval": 30}}
_OF_IDEC = {name: {"update_interval": 3} for name in _REUTERS} | {"usps": {"update_interval": 30}}
_LAYERS = {"layer_epochs": 100}  # of each pair of layers, before all together

_LINES = (
    _Line(
        "k-means",
        parameters={"n_init": 20},
        published={"mnist": 0.5834, "fashion-mnist": 0.5645, "usps": 0.694, "reuters-rcv1": 0.5937},
    ),
    _Line("ae-kmeans", published={"mnist": 0.818, "usps": 0.693}),
    _Line("ae-kmeans", "layer-wise", _LAYERS),
    _Line("aec"),
    _Line("dcn", published={"mnist": 0.83}),
    _Line("dcn", "small", {"hidden": (500, 500, 2000), "latent_dim": None, "batch_size": 256, "weight": 1.0}),
    _Line("dkm"),
    _Line("dkm", "annealed", {"pretrain_epochs": 0}),
    _Line(
        "dec",
        parameters={"update_interval": 160},
        published={"mnist": 0.843, "usps": 0.741},
        of_data=_OF_DEC,
    ),
    _Line("dec", "layer-wise", {"update_interval": 160, **_LAYERS}, of_data=_OF_DEC),
    _Line(
        "idec",
        published={"mnist": 0.8806, "usps": 0.761, "reuters-rcv1": 0.756},
        of_data=_OF_IDEC,
    ),
    _Line("idec", "layer-wise", _LAYERS, of_data=_OF_IDEC),
    _Line("vade", published={"mnist": 0.9446, "reuters-rcv1": 0.798}),
    _Line("vade", "short", {"pretrain_epochs": 20, "n_epochs": 60, "decay_epochs": 2}),
    _Line("wamic", published={"mnist": 0.9842}),
)


def _entries() -> tuple[Entry, ...]:
    found = []
    for data, classes in _CLASSES.items():
        for protocol in PROTOCOLS:
            if protocol == "held-out" and data in _UNSPLIT:
                continue
            for line in _LINES:
                parameters = {"n_clusters": classes, **line.parameters, **line.of_data.get(data, {})}
                known = protocol == "paper" and data in line.published
                published = {"accuracy": line.published[data]} if known else {}
                found.append(Entry(data, line.model, line.variant, protocol, parameters, published))
            found.append(Entry(data, "deep-neural-map", "8x8", protocol, {"grid": (8, 8)}))
    return tuple(found)


CLUSTERING_BASELINES = Study(
    name="clustering-baselines",
    title="Deep clustering and its baselines: as many clusters as classes, on images and news",
    entries=_entries(),
    n_seeds=3,
    notes=(
        "Published accuracies: of k-means those of the DESOM paper (on USPS, as later papers print it), of the others "
        "those of the models' papers and pages. For DEC on MNIST sources have 0.816 to 0.866, for DEC on Reuters 0.722 "
        "to 0.737, which stands beside no row.",
        "All items are trained on and scored in the protocol `paper`, as the authors of these models did.",
        "ae-kmeans, aec, dec and idec of a seed begin with one autoencoder (500-500-2000-10, 200 epochs, all layers at "
        "once), those of `layer-wise` with one whose pairs of layers took 100 epochs each before, as denoising "
        "autoencoders; DEC's authors took about 180 of each and then 370, by SGD.",
        "dcn has its authors' network for MNIST, 2000-1000-500-500-250-50, without their layer-wise pretraining and "
        "centring; `small` has the network, the batches and the weight of dkm, and begins with its autoencoder.",
        "Intervals between two targets are the authors' for MNIST, USPS and Reuters, and for other sets their default.",
        "vade takes 80 and 300 epochs, `short` 20 and 60, with a learning rate that falls five times as fast; its "
        "authors took 3,000 for MNIST.",
        "deep-neural-map has 64 units: its accuracy is that of k-means on its prototypes, as in the DESOM tables, and "
        "its purity cannot be compared with that of ten clusters. Its defaults were chosen by purity and TE8 in trials "
        "on 20,000 images of MNIST, of both parts.",
        "USPS and reuters-rcv1 are downloaded where they are not there; without a network their rows are left out.",
    ),
)
