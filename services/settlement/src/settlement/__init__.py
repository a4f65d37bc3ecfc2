"""Who is owed what: double-entry journals, splits and statements."""
