"""Alembic's entry: runs the migrations on the connection that `migrate` gives it."""

from __future__ import annotations

from alembic import context

from model_service.service.log.postgres import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
