"""The contenders, one file each; each needs only what its own environment holds."""
