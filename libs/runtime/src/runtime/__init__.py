"""What a service process needs: start and stop, settings, migrations, the HTTP edge, health."""
