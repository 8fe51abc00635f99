"""Real server processes under load, with the package and without."""
