"""Work that leaves the GUI thread: frozen requests in, frozen replies out."""
