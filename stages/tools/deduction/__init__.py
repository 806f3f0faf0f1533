"""Forward chaining over English facts and rules."""
