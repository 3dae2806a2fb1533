"""The mathematics of looks: statistics, transforms and LUTs, on tensors."""
