"""Models that are trained: loading them, the text of a conversation, which tokens a model wrote."""
