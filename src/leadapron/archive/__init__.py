"""Ingest, catalogue and storage of sealed films."""
