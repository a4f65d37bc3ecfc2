"""Independent reconciler over all databases; imports no service and no backbone."""
