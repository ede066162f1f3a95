"""From codes to tables: scores, what corrections change, sweeps, means and gaps."""
