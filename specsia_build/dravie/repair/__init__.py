"""`apply` runs the network on one frame, `enhance` implements `specsia enhance`."""
