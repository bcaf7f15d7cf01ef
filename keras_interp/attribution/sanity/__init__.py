"""Sanity checks: what an explanation depends on, and what it must not depend on."""
