"""Maps: lattices, neighbourhoods, and the self-organizing map in its batch and online form."""
