"""Measurements of the product on real and rendered data; nothing here ships or runs in the guard."""
