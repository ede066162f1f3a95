"""The page on trained SAEs: what was asked of each on activations, and what came out."""
