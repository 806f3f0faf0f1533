"""Imitation and preference training with trl, on our masks and batches."""
