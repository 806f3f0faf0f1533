"""Published solutions as calls."""
