"""The work of a network, counted from its configuration alone. Imports no torch."""

from automod_core.config import ModelConfig, level_size


def multiply_adds(model: ModelConfig, level: int) -> tuple[int, int]:
    """Multiplications of encoding, and of decoding, one picture of a level without a fade."""
    n, stages = model.code_size, model.encoder_channels
    decode = 3 * model.decoder_channels[level] * level_size(level) ** 2
    decode += sum(block_multiply_adds(model)[: model.last_block(level) + 1])
    encode = 3 * stages[level] * level_size(level) ** 2
    for here in range(level + 1):
        out, area = stages[max(here - 1, 0)], level_size(here) ** 2
        encode += area * 9 * stages[here] * out + (area * 9 * out * out if here else area * out * n)
    return encode, decode


def canvas_values(model: ModelConfig) -> tuple[int, ...]:
    """Numbers in the canvas that leaves each block."""
    sizes = zip(model.block_levels, model.block_sizes, strict=True)
    return tuple(model.decoder_channels[level] * size**2 for level, size in sizes)


def block_multiply_adds(model: ModelConfig) -> tuple[int, ...]:
    """Multiplications of each block of the decoder, for one picture."""
    n, channels, levels = model.code_size, model.decoder_channels, model.block_levels
    works = []
    for i, (before, here) in enumerate(zip((0, *levels), levels, strict=False)):
        c, area = channels[here], level_size(here) ** 2
        taps = 4 if here > before else 9  # an up-sampling convolution meets each pixel of the smaller map
        work = area * c * taps * channels[before] + 2 * n * c
        work += area * c * 9 if here > before else 0  # the blur
        works.append(work + (area * c * 9 * c + 2 * n * c if i else 0))
    return tuple(works)


def feature_values(model: ModelConfig, level: int) -> int:
    """Numbers in the feature maps of one picture that is encoded and decoded."""
    decoder = sum(
        2 * model.decoder_channels[here] * level_size(here) ** 2 for here in model.block_levels if here <= level
    )
    sizes = range(level + 1)
    encoder = sum(
        (model.encoder_channels[i] + model.encoder_channels[max(i - 1, 0)]) * level_size(i) ** 2 for i in sizes
    )
    return decoder + encoder
