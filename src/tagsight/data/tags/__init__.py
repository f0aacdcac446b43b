"""Tags that people gave to photos: in sidecars, inside photos and in text files."""
