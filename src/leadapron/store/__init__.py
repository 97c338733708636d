"""Ports and native drivers: database, objects, keys, encrypted folders.

Import a driver from its module, for instance ``from leadapron.store.database import Database``:
so a command that needs keys only does not pay for SQLAlchemy.
"""
