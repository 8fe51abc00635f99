"""Programs that start the server with something done to it first; each is run by its path, in the server's folder."""
