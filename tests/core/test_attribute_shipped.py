"""The attributes that ship fit the model that ships, and do what their names say."""

from automod_core.attribute_demo import FEWEST_RIGHT
from automod_core.attribute_file import find_attributes, read_attribute
from automod_core.automodulator import load_model
from automod_core.images import to_uint8
from automod_core.model_file import read_card
from automod_core.paths import default_model_path, shipped_attributes_dir
from automod_core.styles import with_attributes


def test_what_ships_fits_the_model_that_ships() -> None:
    files = sorted(shipped_attributes_dir().glob("*.safetensors"))
    found = find_attributes([shipped_attributes_dir()], read_card(default_model_path()).weights_sha256)
    assert [path for path, _ in found] == files
    assert {"smile", "glasses", "beard", "turn", "skin-tone", "hair-lightness"} <= {path.stem for path in files}
    assert sum(path.stat().st_size for path in files) < 2 << 20
    for _, attribute in found:
        assert attribute.figures["effect"] > 0
        assert (attribute.accuracy or 0) >= FEWEST_RIGHT


def test_darker_skin_is_darker_in_the_picture() -> None:
    """By pixels, not by codes: the middle of the face, light against dark."""
    model = load_model(default_model_path(), "cpu")
    attribute = read_attribute(shipped_attributes_dir() / "skin-tone.safetensors")
    styles = model.random_codes(6, 1)[:, None].expand(-1, model.n_blocks, -1)
    pictures = [
        to_uint8(model.decode(with_attributes(styles, (attribute.edit(amount),)))).astype(float)
        for amount in (-1.0, 1.0)
    ]
    middle = slice(24, 40)
    light, dark = (picture[:, middle, middle].mean(axis=(1, 2, 3)) for picture in pictures)
    assert (light > dark).all()
