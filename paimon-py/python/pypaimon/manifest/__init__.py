"""What manifests hold."""
