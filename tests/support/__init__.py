"""What tests of several rooms share: scenes, small networks, commands."""
