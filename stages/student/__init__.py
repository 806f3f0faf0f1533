"""The student: tokenizer and model from scratch or real ones loaded, masks, training, batched decoding."""
