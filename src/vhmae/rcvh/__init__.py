"""RCVH (Sec. 3.4): real composites from one's own footage, built and reviewed."""
