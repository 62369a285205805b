"""Scripts that run in the environments of the upstream projects, started by the supervisor."""
