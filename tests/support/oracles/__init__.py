"""Naive float64 loops, one file per op. They import nothing from gpudl."""
