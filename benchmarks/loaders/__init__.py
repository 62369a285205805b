"""The layouts' folders, each read by the upstream project's own loader, unchanged."""
