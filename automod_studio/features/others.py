"""What the menus offer that has no panel. Imported when it is made, after the first paint."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtWidgets import QWidget

from automod_studio.features.compare import ComparePart
from automod_studio.features.picture import PicturePart
from automod_studio.features.recipes import RecipesPart
from automod_studio.features.sessions import SessionsPart
from automod_studio.features.training import TrainingPart
from automod_studio.studio import Studio


class Others(NamedTuple):
    """Parts in the order in which they are asked."""

    picture: PicturePart
    compare: ComparePart
    sessions: SessionsPart
    recipes: RecipesPart
    training: TrainingPart


def make_others(studio: Studio, window: QWidget) -> Others:
    """Make them; arguments as for any part."""
    return Others(
        PicturePart(studio, window),
        ComparePart(studio, window),
        SessionsPart(studio, window),
        RecipesPart(studio, window),
        TrainingPart(studio, window),
    )
