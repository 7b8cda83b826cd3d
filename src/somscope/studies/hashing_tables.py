"""What the study hashing-cifar10 compares, and the published numbers that it stands beside."""

from __future__ import annotations

__all__ = ["BITS", "CLASSICAL", "FEATURES", "METHODS", "NAME", "PUBLISHED", "TITLE"]

NAME = "hashing-cifar10"
TITLE = "Codes of 16, 32 and 64 bits that find images of the same class, without labels and without pretrained weights"

BITS = (16, 32, 64)
FEATURES = ("pixels", "gist", "kmeans", "images")  # "images": a network sees the images themselves
CLASSICAL = ("pixels", "gist", "kmeans")
# Coder -> the features that it is shown with. The one place to add a method.
METHODS: dict[str, tuple[str, ...]] = {
    "lsh": CLASSICAL,
    "pcah": CLASSICAL,
    "spectral": CLASSICAL,
    "itq": CLASSICAL,
    "bingan": ("images",),
    "contrastive-hash": ("images",),
}

# mAP@1000 as shares, of the rows of BinGAN's Table 1 that a second source confirms; its own row is not among them.
PUBLISHED: dict[str, dict[int, float]] = {
    "deepbit": {16: 0.1943, 32: 0.2486, 64: 0.2773},
    "dbd-mq": {16: 0.2153, 32: 0.2650, 64: 0.3185},
}
