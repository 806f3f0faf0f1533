"""First-order logic by z3."""
