"""Runs in the background: they are started, followed, told what to do and kept in order. No torch."""
