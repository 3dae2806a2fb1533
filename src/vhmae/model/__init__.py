"""The network of Sec. 3 and Fig. 3, read left to right."""
