"""The workflow's steps, one file each: what `sae-surgery <step>` does."""
