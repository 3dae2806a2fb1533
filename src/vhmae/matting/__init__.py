"""Cutting foregrounds out of videos: several makers of mattes behind one protocol (Sec. 3.4;
docs/matting.md)."""
