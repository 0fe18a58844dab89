"""Language models of any origin: what comes next, how a text goes on, and how tokens are spelled."""
