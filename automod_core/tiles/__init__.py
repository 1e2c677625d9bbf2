"""Convolutions by minimal filtering, tile by tile, in machine code made on the spot: see docs/adr/0018."""
