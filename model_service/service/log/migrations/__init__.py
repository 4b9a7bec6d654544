"""What brings the log's PostgreSQL schema from one version to the next; a log never goes back.

Alembic runs them (`crisiscall log migrate`). The last one's number is `postgres.REVISION`.
"""
