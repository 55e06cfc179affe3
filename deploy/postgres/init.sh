#!/usr/bin/env bash
# What a DBA would do by hand, once: a database for Happening and one for
# Keycloak, each with an owner that is no superuser. Happening's may create
# roles, as its migrations make the two plain ones that the application runs as.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v happening="$HAPPENING_DATABASE_PASSWORD" -v keycloak="$KEYCLOAK_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE happening LOGIN CREATEROLE PASSWORD :'happening';
CREATE DATABASE happening OWNER happening;
CREATE ROLE keycloak LOGIN PASSWORD :'keycloak';
CREATE DATABASE keycloak OWNER keycloak;
SQL
