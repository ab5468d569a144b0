"""The last good lists of a registry on disk, for when it cannot be asked at the start."""
