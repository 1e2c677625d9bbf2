"""Automod Studio: the editor. Depends on automod_core, never the reverse."""
