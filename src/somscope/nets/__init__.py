"""Networks: modules that encode and decode, initialised from a generator that is given to them."""
