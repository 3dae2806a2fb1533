"""What a person says of a shot, and what follows from it: points, choices and dials."""
