"""The modules shipped with quell: one file a module; the file's presence registers it."""
