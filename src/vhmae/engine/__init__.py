"""What turns frames, masks and a network into harmonized frames: no file is opened and no thread
started here."""
