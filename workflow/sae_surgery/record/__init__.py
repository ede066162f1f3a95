"""How a run went: records of its jobs, manifest, timeline, archives."""
