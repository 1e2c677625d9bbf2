"""The panels of the window, in the order of their tabs."""

from __future__ import annotations

from automod_studio.features.feature import Feature
from automod_studio.features.history import HistoryFeature
from automod_studio.features.mix import MixFeature

FEATURES: tuple[type[Feature], ...] = (
    MixFeature,
    HistoryFeature,
)
