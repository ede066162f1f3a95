"""What codes and dictionaries are worth: one small file a metric, one seed at a time."""
