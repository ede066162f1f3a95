"""The machine: devices, threads, files written whole, checkpoints, source digests."""
