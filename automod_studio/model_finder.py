"""Finds the models that a document was made with, by their hashes, wherever their files lie now. No Qt, no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from automod_core.errors import UserError
from automod_core.model_file import ModelCard, read_card
from automod_studio.document.model import Document, ModelRef


class ModelFinder:
    """Looks into model files as far as needed, each at most once. For threads that may wait for the disk."""

    def __init__(self, paths: Iterable[str | Path]) -> None:
        """Look among these files first, in their order."""
        self._paths = [str(path) for path in paths]
        self._cards: dict[str, ModelCard | None] = {}
        self._found: dict[str, ModelRef] = {}
        self._code_sizes: dict[str, int] = {}

    def find(self, model_hash: str, hint: str = "") -> ModelRef | None:
        """The model of a hash, as its file says; None if it is in none of the files, nor where it was (`hint`).

        A hint comes out of a file that may be a stranger's: one that names another computer is not followed.
        """
        if model_hash not in self._found:
            for path in (*self._paths, "" if hint.startswith(("\\\\", "//")) else hint):
                card = self._card(path) if path else None
                if card is not None and card.weights_sha256 == model_hash:
                    self._found[model_hash] = ref_of(path, card)
                    self._code_sizes[model_hash] = card.architecture.code_size
                    break
        return self._found.get(model_hash)

    def placed(self, value: object) -> object:
        """A model as it is here, if it is here; anything else as it is."""
        if isinstance(value, ModelRef):
            return self.find(value.hash, value.path) or value
        return value

    def fits(self, document: Document) -> bool:
        """Whether the codes of a document have the size that its model takes; True if the model is not here."""
        if document.model is None or document.model.hash not in self._code_sizes or not document.sources:
            return True
        return len(document.sources[0].code) == self._code_sizes[document.model.hash]

    def _card(self, path: str) -> ModelCard | None:
        if path not in self._cards:
            try:
                self._cards[path] = read_card(Path(path))
            except UserError:  # a damaged file in the list is nobody's trouble here
                self._cards[path] = None
        return self._cards[path]


def ref_of(path: str, card: ModelCard) -> ModelRef:
    """A model as documents name it."""
    shape = card.architecture
    return ModelRef(
        path, card.weights_sha256, card.name, shape.n_blocks, shape.resolution, card.scale_ranges,
        domain=card.domain, trained_on=card.trained_on, block_sizes=shape.block_sizes,
    )  # fmt: skip
