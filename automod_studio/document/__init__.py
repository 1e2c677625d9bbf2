"""What is edited, and the edits: pure data, without Qt and without torch."""
