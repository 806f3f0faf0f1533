"""When a chain is correct: equal answers, calls run again, answers that rest on them."""
