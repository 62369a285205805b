"""A silhouette inflated to a closed figure. Others use `backend`, whose `create` is the entry point."""
