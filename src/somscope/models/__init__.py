"""Models: one file for each published deep map; each composes nets, maps and objectives."""
