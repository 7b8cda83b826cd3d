"""Loss terms: each a pure function of tensors, with its formula and source in the docstring."""
