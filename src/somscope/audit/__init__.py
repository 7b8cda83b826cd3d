"""The comparison of real and generated images: what a generator keeps, loses and invents."""

from somscope.audit.images import AuditImages, from_arrays
from somscope.audit.reading import read_folders, read_pix2pix, read_unpaired

__all__ = ["AuditImages", "from_arrays", "read_folders", "read_pix2pix", "read_unpaired"]
