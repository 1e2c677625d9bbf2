"""Deep Automodulators: encode photos, mix them scale by scale, decode the mix.

The names below load torch only when they are used, so that `import automod_core` is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automod_core.automodulator import Automodulator as Automodulator
    from automod_core.automodulator import load_model as load_model
    from automod_core.latent import mix as mix
    from automod_core.latent import random_codes as random_codes
    from automod_core.latent import resample_blocks as resample_blocks
    from automod_core.latent import slerp as slerp
    from automod_core.latent import to_sphere as to_sphere
    from automod_core.recipe import Recipe as Recipe
    from automod_core.recipe import read_recipe as read_recipe
    from automod_core.styles import styles_of as styles_of
    from automod_core.transfer import transferred as transferred

_HOME = {
    "Automodulator": "automod_core.automodulator",
    "Recipe": "automod_core.recipe",
    "load_model": "automod_core.automodulator",
    "mix": "automod_core.latent",
    "random_codes": "automod_core.latent",
    "read_recipe": "automod_core.recipe",
    "resample_blocks": "automod_core.latent",
    "slerp": "automod_core.latent",
    "styles_of": "automod_core.styles",
    "to_sphere": "automod_core.latent",
    "transferred": "automod_core.transfer",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
