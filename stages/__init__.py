"""stepcall: distil step-by-step function calling into a small language model; one module a DVC stage."""
