"""The engine: the same answers as plain Python, whatever it is asked."""
