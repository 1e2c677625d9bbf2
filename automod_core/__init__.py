"""Deep Automodulators: encode photos, mix them scale by scale, decode the mix.

The names below load torch only when they are used, so that `import automod_core` is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automod_core.animation import RecipePath as RecipePath
    from automod_core.attribute_file import read_attribute as read_attribute
    from automod_core.attribute_file import write_attribute as write_attribute
    from automod_core.attribute_making import make_attribute as make_attribute
    from automod_core.attributes import Attribute as Attribute
    from automod_core.automodulator import Automodulator as Automodulator
    from automod_core.automodulator import load_model as load_model
    from automod_core.latent import mix as mix
    from automod_core.latent import random_codes as random_codes
    from automod_core.latent import resample_blocks as resample_blocks
    from automod_core.latent import slerp as slerp
    from automod_core.latent import to_sphere as to_sphere
    from automod_core.recipe import Recipe as Recipe
    from automod_core.recipe import read_recipe as read_recipe
    from automod_core.shared_decode import decode_shared as decode_shared
    from automod_core.styles import styles_of as styles_of
    from automod_core.transfer import transferred as transferred
    from automod_core.variations import draw_children as draw_children
    from automod_core.variations import draw_variations as draw_variations

_HOME = {
    "Attribute": "automod_core.attributes",
    "Automodulator": "automod_core.automodulator",
    "Recipe": "automod_core.recipe",
    "RecipePath": "automod_core.animation",
    "decode_shared": "automod_core.shared_decode",
    "draw_children": "automod_core.variations",
    "draw_variations": "automod_core.variations",
    "load_model": "automod_core.automodulator",
    "make_attribute": "automod_core.attribute_making",
    "mix": "automod_core.latent",
    "random_codes": "automod_core.latent",
    "read_attribute": "automod_core.attribute_file",
    "read_recipe": "automod_core.recipe",
    "resample_blocks": "automod_core.latent",
    "slerp": "automod_core.latent",
    "styles_of": "automod_core.styles",
    "to_sphere": "automod_core.latent",
    "transferred": "automod_core.transfer",
    "write_attribute": "automod_core.attribute_file",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
