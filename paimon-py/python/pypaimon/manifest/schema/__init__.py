"""The entries of manifests."""
