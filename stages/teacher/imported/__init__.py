"""Chains made elsewhere."""
