"""Students from scratch: tokenizer, a small Llama, a recurrent model, numbers by reference."""
