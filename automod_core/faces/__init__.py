"""Demo faces: drawn portraits with known factors, free of any person or licence."""

from automod_core.faces.factors import FACTOR_NAMES, FACTORS, Factor, factor_column, sample_factors

__all__ = ["FACTORS", "FACTOR_NAMES", "Factor", "factor_column", "sample_factors"]
