"""Nuke: the network as a TorchScript for its Inference node, and the script that sets it up."""
