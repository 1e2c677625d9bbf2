"""Where things lie: what ships with the program, and what belongs to the user."""

from functools import cache
from pathlib import Path

import platformdirs

APP_NAME = "automod-studio"


@cache
def assets_dir() -> Path:
    """Folder of what ships: inside the package in a wheel, beside it in a checkout or an editable install."""
    here = Path(__file__).resolve().parent
    inside, beside = here / "_assets", here.parent / "assets"
    return beside if beside.is_dir() and not inside.is_dir() else inside


def default_model_path() -> Path:
    """The model that ships."""
    return assets_dir() / "models" / "demo-faces.safetensors"


def user_models_dir() -> Path:
    """Folder for imported and downloaded models; not created here."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "models"


def shipped_attributes_dir() -> Path:
    """Folder of the attributes that ship, for the model that ships."""
    return assets_dir() / "attributes"


def attributes_dir() -> Path:
    """Folder of the user's attributes; not created here."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "attributes"


def profiles_dir() -> Path:
    """Folder of the user's saved training settings; not created here."""
    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "profiles"


def runs_dir() -> Path:
    """Folder of the runs that are started from the window; not created here."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "runs"


def cache_dir() -> Path:
    """Folder for what can be made again; not created here."""
    return Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def state_dir() -> Path:
    """Folder for logs and recovery files; not created here."""
    return Path(platformdirs.user_state_dir(APP_NAME, appauthor=False))
