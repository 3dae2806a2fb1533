"""Data: looks, composites made of real video, clips on disk and data sets."""
