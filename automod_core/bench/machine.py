"""What a benchmark was run on: without it a figure means nothing."""

import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

# Those that decide how fast networks are; the names that torch gives them.
_SETS = (
    *("avx2", "avx_vnni", "avx512_f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_int8", "amx_bf16", "amx_fp16", "neon", "fp16", "bf16", "i8mm", "sve", "sve2", "sme"),
)


@dataclass(frozen=True)
class Machine:
    """The machine, and what of it was used.

    Attributes:
        processor: as the maker calls it.
        instruction_sets: those that matter here.
        cores: physical ones, or the logical ones where the system does not tell.
        memory_gb: of the whole machine, in units of 10^9 bytes.
        system: operating system and architecture.
        python: version.
        torch: version.
        threads: that torch computes with.
        device: "cpu", "cuda:0", ...
        card: name of the graphics card, or "".
        load: programs that wanted a core in the last minute, on average, when the benchmark began; None if unknown.
    """

    processor: str
    instruction_sets: tuple[str, ...]
    cores: int
    memory_gb: float
    system: str
    python: str
    torch: str
    threads: int
    device: str
    card: str
    load: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"instruction_sets": list(self.instruction_sets)}

    def sentence(self) -> str:
        """One line for people."""
        sets = f" with {', '.join(self.instruction_sets)}" if self.instruction_sets else ""
        card = f"{self.card}; " if self.card else ""
        cores = f"{self.cores} core{'s' if self.cores > 1 else ''}"
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return (
            f"{card}{self.processor}{sets}, {cores}, {self.memory_gb:.0f} GB of memory; {self.system}; "
            f"PyTorch {self.torch}, {threads}"
        )


def this_machine(device: torch.device) -> Machine:
    """Look at the machine that this runs on."""
    able = torch.cpu.get_capabilities()
    return Machine(
        processor=_processor() or str(able.get("cpu_name") or platform.machine()),
        instruction_sets=tuple(name for name in _SETS if able.get(name)),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        device=str(device),
        card=torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        load=_load(),
    )


def _processor() -> str:
    """The name in /proc/cpuinfo, where there is such a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _load() -> float | None:
    try:
        return round(psutil.getloadavg()[0], 2)
    except OSError:
        return None
