"""In which numbers a device computes feature maps."""

import torch

from automod_core.tiles.machine import can_multiply_pairs

EXACT, WHOLE = "float32", "int16"
PRECISIONS = EXACT, "bfloat16", WHOLE


def map_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Floating type of the feature maps: bfloat16 where asked for, or with "auto" where the hardware has it."""
    if precision == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
        else:
            able = torch.cpu.get_capabilities()
            fast = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
        precision = "bfloat16" if fast else "float32"
    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[precision]


def choose_precision(precision: str, device: torch.device, *, tiles: bool) -> str:
    """One of PRECISIONS for a network that is used, not trained: what is asked for, or with "auto" what is quickest.

    Args:
        precision: "auto", or one of PRECISIONS. Whole numbers become "float32" where they cannot be used.
        device: where to compute.
        tiles: whether the network's layers can be computed by tiles there; see tiles.graph.suits_tiles.

    Raises:
        ValueError: there is no such precision.
    """
    if precision not in ("auto", *PRECISIONS):
        raise ValueError(f"precision must be auto or one of {', '.join(PRECISIONS)}, got {precision!r}")
    if precision == "auto":
        floating = str(map_dtype(precision, device)).removeprefix("torch.")
        precision = floating if floating != EXACT else WHOLE
    return EXACT if precision == WHOLE and not (tiles and can_multiply_pairs()) else precision
