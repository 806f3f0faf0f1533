"""Problems: what one is, where they come from, and when an answer equals the gold answer."""
