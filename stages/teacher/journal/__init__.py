"""Every paid call on disk."""
