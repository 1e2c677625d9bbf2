"""The commands of the command line, one module each: add(commands) declares one, run(args) carries it out.

No module here imports torch, numpy or Pillow until a command runs, so that help is instant.
"""
