"""Text, or a mapping made in code, to a tree of values that know their lines."""
