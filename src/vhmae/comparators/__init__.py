"""The methods that the paper compares itself with (Table 1), built anew from their descriptions."""
