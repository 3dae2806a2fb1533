"""Training: recipes, the bank of drawn pixels, the loop, its journal and its validation."""
