"""Adam for networks whose parts step at different speeds, and grow while they are trained; averages of weights."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from automod_core.model import Decoder

_CONFIGURED = ("betas", "lr_factor")  # of a group: what the settings say, and not what a checkpoint does


def make_adam(groups: Iterable[Mapping[str, Any]], betas: tuple[float, float]) -> torch.optim.Adam:
    """Make an optimiser.

    Args:
        groups: "params", and "lr_factor", the factor of the step size, of each group of parameters.
        betas: memory of the mean gradient, and of its size.
    """
    return torch.optim.Adam([dict(group) for group in groups], lr=1.0, betas=betas, fused=True)


def replace_group(optimiser: torch.optim.Adam, name: str, module: nn.Module, lr_factor: float) -> None:
    """Learn a module, instead of the one known by this name."""
    remove_group(optimiser, name)
    optimiser.add_param_group({"params": list(module.parameters()), "lr_factor": lr_factor, "name": name})


def remove_group(optimiser: torch.optim.Adam, name: str) -> None:
    """Forget the module known by this name, if there is one."""
    for group in [g for g in optimiser.param_groups if g.get("name") == name]:
        optimiser.param_groups.remove(group)
        for parameter in group["params"]:
            optimiser.state.pop(parameter, None)


def group_names(state: Mapping[str, Any]) -> list[str]:
    """Names in the state of an optimiser, in its order; groups without a name are left out."""
    return [group["name"] for group in state["param_groups"] if "name" in group]


def load_moments(optimiser: torch.optim.Adam, state: Mapping[str, Any]) -> None:
    """Take over what an optimiser with the same groups had learnt of the gradients; the settings stay as they are."""
    settings = [{name: group[name] for name in _CONFIGURED} for group in optimiser.param_groups]
    optimiser.load_state_dict(dict(state))
    for group, kept in zip(optimiser.param_groups, settings, strict=True):
        group.update(kept)


def decoder_groups(decoder: Decoder, equalised_factor: float) -> list[dict[str, Any]]:
    """Parameter groups: equalised weights, whose entries are about 1, may step further than the others."""
    named = list(decoder.named_parameters())
    equalised = [p for name, p in named if "parametrizations" in name]
    others = [p for name, p in named if "parametrizations" not in name]
    return [{"params": equalised, "lr_factor": equalised_factor}, {"params": others, "lr_factor": 1.0}]


def style_maps(decoder: Decoder) -> list[nn.Parameter]:
    """The parameters of all AdaIN maps."""
    return [p for name, p in decoder.named_parameters() if ".style" in name]


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, keep: float) -> None:
    """Move the parameters of one network towards those of another, alike one: keep * average + (1 - keep) * current."""
    torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - keep)
    for a, b in zip(average.buffers(), current.buffers(), strict=True):
        a.copy_(b)
