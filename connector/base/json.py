"""JSON as ``json`` reads and writes it: checked where it comes from, and looked at where it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Any  # None, bool, int, float, str, a list of such, or an object
JsonObject = dict[str, Json]
JsonMap = Mapping[str, Json]  # an object that is only read
