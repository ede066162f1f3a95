"""What metrics are computed from: matchings, correlations, rank statistics, probes, intervals."""
