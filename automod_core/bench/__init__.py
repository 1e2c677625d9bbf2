"""What `automod bench` measures on the machine at hand, next to the plain forward in the same run."""
