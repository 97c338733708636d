"""Ports and native drivers: database, blobs, keys."""
