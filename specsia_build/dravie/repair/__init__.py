"""`apply` is the network on one frame, `enhance` the work of `specsia enhance`."""
