"""A multi-view diffusion model and its fusion, imitated; `backend.create` is the entry point."""
