"""The reconciler: reads all databases and names what differs; shares no code with the services."""
