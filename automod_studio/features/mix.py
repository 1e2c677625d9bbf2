"""The mix: how much each photo gives at each scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from automod_studio import views
from automod_studio.document import edits
from automod_studio.features.feature import Feature
from automod_studio.widgets.mixer import MixerPanel
from automod_studio.widgets.share_groove import ShareGroove


class MixFeature(Feature):
    """Sliders per range and block."""

    widget: MixerPanel

    def make_widget(self) -> MixerPanel:
        """Make the mixer, and turn what it reports into edits."""
        mixer = MixerPanel()
        self.studio.panels.is_dragged = ShareGroove.is_moved
        mixer.share_edited.connect(self._edit_range)
        mixer.block_share_edited.connect(self._edit_block)
        mixer.range_reset.connect(self._reset_range)
        mixer.block_reset.connect(self._reset_block)
        mixer.reset_all.connect(self.reset_all)
        return mixer

    def refresh(self) -> None:
        """Show the shares."""
        self.widget.show_view(views.mixer_view(self.document))

    def callbacks(self) -> Mapping[str, Callable[..., object]]:
        """Reset the whole mix."""
        return {"reset": self.reset_all}

    def reset_all(self) -> None:
        """Go back to the default mix of the photos, with nothing laid over it."""
        self.session.edit("Reset mix", edits.reset_all)

    def _edit_range(self, name: str, index: int, share: float, finished: bool) -> None:
        text = f"{name.capitalize()}: {self._letter(index)} {share:.2f}"
        edit = partial(edits.set_range_share, range_name=name, index=index, share=share)
        self.session.drag((name, index), text, edit, finished)

    def _edit_block(self, block: int, index: int, share: float, finished: bool) -> None:
        text = f"{views.block_text(self.document.model, block)}: {self._letter(index)} {share:.2f}"
        edit = partial(edits.set_block_share, block=block, index=index, share=share)
        self.session.drag((block, index), text, edit, finished)

    def _letter(self, index: int) -> str:
        return self.document.sources[index].letter

    def _reset_range(self, name: str) -> None:
        self.session.edit(f"Reset {name}", partial(edits.reset_range, range_name=name))

    def _reset_block(self, block: int) -> None:
        name = views.block_text(self.document.model, block)
        self.session.edit(f"Reset {name}", partial(edits.reset_block, block=block))
