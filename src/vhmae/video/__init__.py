"""Video files: what is in them, frames out of them as planes, frames into them, mattes."""
