"""The journal in a PostgreSQL database, for a team."""
