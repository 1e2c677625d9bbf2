"""Tensors on their way to the device that works on them."""

import torch
from torch import Tensor


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the CPU to a device without waiting for what the device is doing.

    A graphics card can fetch only pinned memory by itself; a copy from other memory waits until its work is done.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
