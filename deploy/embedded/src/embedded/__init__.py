"""Real Apache Kafka and real PostgreSQL without Docker, root or system packages."""
