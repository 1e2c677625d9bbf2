"""Named training configurations."""

from automod_core.config import ModelConfig
from automod_core.schedule import Phase
from automod_core.train_config import TrainConfig

DEMO_CODE_SIZE = 128


def demo_preset() -> TrainConfig:
    """Return the recipe of demo models: 64x64, for two CPU cores and an hour and a half.

    It departs from the paper where little data and a short run ask for it (docs/adr/0003-the-demo-recipe.md): the
    decoder learns from the pictures too, outlines and what a viewer looks at weigh more, codes are pushed apart, tell
    what is seen and enter the AdaIN maps with a gain, the encoder has no spectral norm, samples come every third step,
    mixtures are those of training pictures.
    """
    return TrainConfig(
        model=ModelConfig(
            code_size=DEMO_CODE_SIZE,
            decoder_channels=(160, 160, 112, 64, 32),
            encoder_channels=(160, 112, 64, 32, 16),
            style_gain=DEMO_CODE_SIZE**0.5,
        ),
        phases=(
            Phase(resolution=8, images=12_000, fade_images=0, batch=32, lr=3e-3),
            Phase(resolution=16, images=24_000, fade_images=6_000, batch=32, lr=3e-3, margin=0.05),
            Phase(resolution=32, images=124_000, fade_images=6_000, batch=32, lr=3e-3, margin=0.05),
            Phase(resolution=64, images=80_000, fade_images=5_000, batch=32, lr=3e-3, margin=0.05),
        ),
        reconstruction_weight=3.0,
        edge_weight=1.0,
        perceptual_weight=2.0,
        perceived_weight=2.0,
        uniformity_weight=0.2,
        cosine_weight=0.5,
        decoder_learns_reconstruction=True,
        photo_mixtures=True,
        adversarial_every=3,
        spectral_norm=False,
        encoder_lr_factor=0.35,
        equalised_lr_factor=5.0,
        beta1=0.5,
        average_encoder=True,
        average_half_life=4000,
        cooldown_images=36_000,
        checkpoint_images=8_000,
    )


PRESETS = {"demo": demo_preset}
