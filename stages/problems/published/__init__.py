"""Published sets, one file each."""
