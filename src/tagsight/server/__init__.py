"""A model behind HTTP: it decodes uploads, calls the recogniser and encodes the answer."""
