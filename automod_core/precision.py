"""In which floating type a device computes feature maps."""

import torch


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
