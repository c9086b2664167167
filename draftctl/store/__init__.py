"""The database: schema, connection, the one writer, the audit chain, and the queue."""
