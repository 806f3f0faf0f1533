"""How a chain is made: what a model reads, the loop, native calls, many chains decoded at once."""
