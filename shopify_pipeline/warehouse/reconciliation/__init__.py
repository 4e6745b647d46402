"""What a reconciliation keeps and asks of Postgres: listed ids, divergences, corrections."""
