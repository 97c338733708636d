"""Extensions: one file in one folder, or one entry point of a third party."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from leadapron.model.errors import Conflict, NotFound

T = TypeVar("T")


class Registry(Generic[T]):
    """Named extensions of one kind.

    Built-in ones are the modules of `package`; each calls ``registry.add(name, item)`` when
    imported. Third parties declare entry points in the group ``leadapron.<kind>``; loading one
    must do the same.
    """

    def __init__(self, kind: str, package: str) -> None:
        """Name the kind (``channel``, ``need-rule`` …) and the folder of built-ins."""
        self.kind = kind
        self.package = package
        self._items: dict[str, T] = {}
        self._loaded = False

    def add(self, name: str, item: T) -> T:
        """Register `item`; Conflict if another one has that name."""
        if self._items.get(name, item) is not item:
            raise Conflict(
                f"two {self.kind} extensions are called '{name}'",
                remedy="rename or uninstall one of them",
            )
        self._items[name] = item
        return item

    def get(self, name: str) -> T:
        """Return the extension; NotFound lists those there are."""
        self._load()
        if name not in self._items:
            raise NotFound(
                f"no {self.kind} called '{name}'", remedy=f"there are: {', '.join(self)}"
            )
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        self._load()
        return iter(sorted(self._items))

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        folder = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(folder.__path__):
            if not module.name.startswith("_"):
                importlib.import_module(f"{self.package}.{module.name}")
        for point in entry_points(group=f"leadapron.{self.kind}"):
            point.load()
