"""Panels with what they do: each is one dock, its widget, and the edits and requests behind it."""
