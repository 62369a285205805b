"""Imitation of a multi-view diffusion model and its fusion; `backend.create` is the entry point."""
