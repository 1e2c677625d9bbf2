"""The panels of the window, in the order of their tabs, and what the menus offer beside them."""

from __future__ import annotations

from automod_studio.features.attributes import AttributesFeature
from automod_studio.features.compare import ComparePart
from automod_studio.features.feature import Feature, Part
from automod_studio.features.grids import GridFeature
from automod_studio.features.history import HistoryFeature
from automod_studio.features.mix import MixFeature
from automod_studio.features.paths import PathFeature
from automod_studio.features.picture import PicturePart
from automod_studio.features.recipes import RecipesPart
from automod_studio.features.sessions import SessionsPart
from automod_studio.features.training import TrainingPart
from automod_studio.features.variations import VariationsFeature

FEATURES: tuple[type[Feature], ...] = (
    MixFeature,
    AttributesFeature,
    VariationsFeature,
    GridFeature,
    PathFeature,
    HistoryFeature,
)

#: Without a panel.
PARTS: tuple[type[Part], ...] = (PicturePart, ComparePart, SessionsPart, RecipesPart, TrainingPart)
