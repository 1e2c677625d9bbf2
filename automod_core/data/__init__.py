"""Training pictures: a folder, a zip, an .h5, an lmdb or drawn faces, each as a stream that follows from a seed."""

from automod_core.data.opening import open_data

__all__ = ["open_data"]
