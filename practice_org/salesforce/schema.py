"""Objects and their fields: the standard ones from ``schema/*.csv``, custom ones by configuration.

``schema/objects.csv``: flags c createable, u updateable, d deletable, z undeletable, m mergeable, r replicateable,
v a view of another object's rows (:data:`VIEWS`);
cascades name the child references whose rows are deleted together with the parent.
``schema/<Object>.csv``: size is a length, ``precision.scale`` or the digits of an int; flags n nillable, c createable,
u updateable, d defaulted on create, r restricted picklist, i indexed; ``of`` lists picklist values (``*`` default,
``value=Label``), the target objects of a reference (``:`` at the end: no relationship name) or ``*default``.
``address`` fields stand for their eight parts, audit fields are added to every object.
Types, lengths and flags follow recorded describe answers; a test compares them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources

from practice_org.salesforce.ids import DIGITS
from practice_org.salesforce.problems import no_such_object

_SHARED_VALUES = {
    "@source": "Web|Phone Inquiry|Partner Referral|Purchased List|Other",
    "@industry": "Agriculture|Apparel|Banking|Biotechnology|Chemicals|Communications|Construction|Consulting|Education|"
    "Electronics|Energy|Engineering|Entertainment|Environmental|Finance|Food & Beverage|Government|Healthcare|"
    "Hospitality|Insurance|Machinery|Manufacturing|Media|Not For Profit|Recreation|Retail|Shipping|Technology|"
    "Telecommunications|Transportation|Utilities|Other",
    "@accuracy": "Address|NearAddress|Block|Street|ExtendedZip|Zip|Neighborhood|City|County|State|Unknown",
}
_AUDIT = (
    ("CreatedDate", "datetime", "d", ""),
    ("CreatedById", "reference", "d", "User"),
    ("LastModifiedDate", "datetime", "d", ""),
    ("LastModifiedById", "reference", "d", "User"),
    ("SystemModstamp", "datetime", "di", ""),
)
ADDRESS_PARTS = (
    ("Street", "textarea", "255", ""),
    ("City", "string", "40", ""),
    ("State", "string", "80", ""),
    ("PostalCode", "string", "20", ""),
    ("Country", "string", "80", ""),
    ("Latitude", "double", "18.15", ""),
    ("Longitude", "double", "18.15", ""),
    ("GeocodeAccuracy", "picklist", "40", "@accuracy"),
)
_WHOS = (
    "SELECT {audit}, Id, IsDeleted, AccountId, RelationId, {activity}, "
    "CASE SUBSTR(RelationId, 1, 3) WHEN '003' THEN 'Contact' ELSE 'Lead' END AS Type "
    "FROM {table} WHERE SUBSTR(RelationId, 1, 3) IN ('003', '00Q') AND {where}"
)
_STAMPS = ", ".join(name for name, *_ in _AUDIT)
VIEWS = {
    "TaskWhoRelation": _WHOS.format(audit=_STAMPS, activity="TaskId", table="TaskRelation", where="IsWhat = 0"),
    "EventWhoRelation": _WHOS.format(
        audit=_STAMPS, activity="EventId", table="EventRelation", where="IsParent = 1 AND IsWhat = 0"
    ),
}
SHARED_ACTIVITIES = ("TaskRelation", "TaskWhoRelation", "EventWhoRelation")  # there only with that feature
CURRENCY_OBJECTS, DATED_RATES = ("CurrencyType",), ("DatedConversionRate",)  # the same of several currencies


@dataclass(frozen=True, slots=True)
class Value:
    """One picklist value."""

    value: str
    label: str = ""
    default: bool = False
    active: bool = True


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field, named as in describe. ``values_from`` names the metadata object that holds the picklist's values."""

    name: str
    type: str = "string"
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    digits: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    values: tuple[Value, ...] = ()
    values_from: str = ""
    restricted: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    default: str | None = None
    external_id: bool = False
    unique: bool = False
    indexed: bool = False
    compound: str | None = None  # the address or name this is a part of
    visible: bool = True  # field-level security of the user who asks

    @property
    def custom(self) -> bool:
        return self.name.endswith(("__c", "__pc"))


@dataclass(slots=True)
class ObjectSpec:
    """``fields`` by lower case name, in describe order."""

    name: str
    label: str
    plural: str
    prefix: str
    flags: str = "cudzr"
    cascades: tuple[tuple[str, str], ...] = ()  # (child object, reference field)
    fields: dict[str, FieldSpec] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def view(self) -> bool:
        return "v" in self.flags

    def find(self, name: str) -> FieldSpec | None:
        return self.fields.get(name.lower())

    def by_relationship(self, name: str) -> FieldSpec | None:
        lowered = name.lower()
        return next((f for f in self.fields.values() if f.relationship and f.relationship.lower() == lowered), None)

    def add(self, spec: FieldSpec) -> None:
        self.fields[spec.name.lower()] = spec


def spaced(name: str) -> str:
    """A label for an API name: ``LastName`` is "Last Name", ``OwnerId`` "Owner ID", ``Lead_Score__c`` "Lead Score"."""
    text = name.removesuffix("__c").replace("_", " ")
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"\bId$", "ID", text)


def picklist(text: str) -> tuple[Value, ...]:
    """``A|*B|C=See`` -> three values, B the default, C labelled See."""
    found = []
    for part in filter(None, text.split("|")):
        value, _, label = part.lstrip("*").partition("=")
        found.append(Value(value, label or value, part.startswith("*")))
    return tuple(found)


def field_from(name: str, kind: str, size: str = "", flags: str = "", of: str = "", label: str = "") -> FieldSpec:
    """One line of the table as a FieldSpec."""
    whole, _, scale = size.partition(".")
    number = int(whole or 0)
    listed = kind in ("picklist", "multipicklist", "combobox")
    values = picklist(_SHARED_VALUES.get(of, of)) if listed and (not of.startswith("@") or of in _SHARED_VALUES) else ()
    targets = tuple(sorted(of.rstrip(":").split("+"))) if kind == "reference" and of else ()
    default = next((v.value for v in values if v.default), of[1:] if of.startswith("*") else None)
    return FieldSpec(
        name=name,
        type=kind,
        label=label or spaced(name),
        length=18 if kind in ("reference", "id") else number if not scale and kind != "int" else 0,
        precision=number if scale else 0,
        scale=int(scale or 0),
        digits=number if kind == "int" else 0,
        nillable="n" in flags,
        createable="c" in flags,
        updateable="u" in flags,
        defaulted="d" in flags,
        values=values,
        values_from=of[1:] if of.startswith("@") and not values else "",
        restricted="r" in flags,
        reference_to=targets,
        relationship=name.removesuffix("Id") if targets and not of.endswith(":") else None,
        default=default,
        indexed="i" in flags,
    )


def _expanded(fields: Iterable[FieldSpec]) -> Iterator[FieldSpec]:
    names = {"firstname", "lastname", "salutation"}
    fields = list(fields)
    person = {f.name for f in fields} >= {"FirstName", "LastName", "Name"}
    for spec in fields:
        if spec.type == "address":
            stem = spec.name.removesuffix("Address")
            for part, kind, size, of in ADDRESS_PARTS:
                made = field_from(stem + part, kind, size, "ncur" if of else "ncu", of)
                yield replace(made, compound=spec.name, label=_part_label(stem, part))
        yield replace(spec, compound="Name") if person and spec.name.lower() in names else spec


def _part_label(stem: str, part: str) -> str:
    shown = {"State": "State/Province", "PostalCode": "Zip/Postal Code"}.get(part, spaced(part))
    return f"{stem} {shown}".strip()


def base_fields(*, owned: bool = False, named: bool = False) -> Iterator[FieldSpec]:
    """What every object has; custom objects have an owner and a name besides."""
    yield field_from("Id", "id", "18", "d", "")
    yield field_from("IsDeleted", "boolean", "", "d", "", "Deleted")
    if owned:
        yield field_from("OwnerId", "reference", "", "cud", "Group+User")
    if named:
        yield field_from("Name", "string", "80", "ncud", "")
    for name, kind, flags, of in _AUDIT:
        yield field_from(name, kind, "", flags, of)


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("practice_org.salesforce").joinpath("tables", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def _standard() -> tuple[ObjectSpec, ...]:
    found = []
    for line in _rows("objects"):
        named = (text.partition(".") for text in line["cascades"].split())
        cascades = tuple((child, reference) for child, _, reference in named)
        name = line["name"]
        spec = ObjectSpec(name, spaced(name), line["plural"], line["prefix"], line["flags"], cascades)
        table = (field_from(*row.values()) for row in _rows(name))
        identity, deleted, *audit = base_fields()
        for made in (identity, deleted, *_expanded(table), *audit):
            spec.add(replace(made, label=f"{spec.label} ID") if made is identity else made)
        found.append(spec)
    return tuple(found)


class Schema:
    """The objects of one org, by lower case name."""

    def __init__(self) -> None:
        self.objects = {spec.name.lower(): replace(spec, fields=dict(spec.fields)) for spec in _standard()}
        self.hidden: set[str] = set()  # from the user who asks; the Python handle sees everything
        self.code: FieldSpec | None = None  # of the currency, where the org has several
        self._off: dict[str, ObjectSpec] = {}

    def offer(self, names: Iterable[str], *, on: bool) -> None:
        """Objects of a feature that is switched on or off: without it no API knows them."""
        source, target = (self._off, self.objects) if on else (self.objects, self._off)
        for name in names:
            if spec := source.pop(name.lower(), None):
                target[name.lower()] = spec

    def find(self, name: str) -> ObjectSpec | None:
        return self.objects.get(name.lower())

    def shown(self, name: str) -> ObjectSpec | None:
        """The object, unless the user may not read it."""
        spec = self.find(name)
        return None if spec is None or spec.name in self.hidden else spec

    def get(self, name: str) -> ObjectSpec:
        """Raises the INVALID_TYPE problem for an object the org does not have."""
        spec = self.objects.get(name.lower())
        if spec is None:
            raise no_such_object(name)
        return spec

    def define(
        self, name: str, fields: Iterable[FieldSpec] = (), *, label: str = "", plural: str = "", prefix: str = ""
    ) -> ObjectSpec:
        """The object, made as a custom one where it is new, with ``fields`` added or replaced."""
        spec = self.find(name)
        if spec is None:
            spec = ObjectSpec(name, label or spaced(name), plural or spaced(name) + "s", prefix or self._free_prefix())
            for made in (*base_fields(owned=True, named=True), *filter(None, (self.code,))):
                spec.add(made)
            self.objects[name.lower()] = spec
        for made in fields:
            spec.add(completed(made))
        return spec

    def _free_prefix(self) -> str:
        taken = {spec.prefix for spec in self.objects.values()}
        return next(p for p in ("a" + a + b for a in DIGITS for b in DIGITS) if p not in taken)

    def of_id(self, id18: str) -> ObjectSpec | None:
        """The object whose key prefix an id has."""
        return next((spec for spec in self.objects.values() if spec.prefix == id18[:3]), None)

    def children(self, parent: str) -> Iterator[tuple[ObjectSpec, FieldSpec]]:
        """Every reference of another object to ``parent``."""
        for spec in self.objects.values():
            for made in spec.fields.values():
                if parent in made.reference_to:
                    yield spec, made


_LENGTHS = {"string": 255, "picklist": 255, "textarea": 32768, "email": 80, "phone": 40, "url": 255, "reference": 18}


def completed(spec: FieldSpec) -> FieldSpec:
    """A field by configuration with what its type implies filled in."""
    relationship = spec.relationship
    if spec.type == "reference" and relationship is None:
        relationship = spec.name.removesuffix("__c") + "__r" if spec.custom else spec.name.removesuffix("Id")
    numeric = spec.type in ("double", "currency", "percent")
    return replace(
        spec,
        label=spec.label or spaced(spec.name),
        length=spec.length or _LENGTHS.get(spec.type, 4099 if spec.type == "multipicklist" else 0),
        precision=spec.precision or (18 if numeric else 0),
        relationship=relationship,
        indexed=spec.indexed or spec.external_id or spec.unique,
        nillable=spec.nillable and spec.type != "boolean",
        default=spec.default or next((v.value for v in spec.values if v.default), None),
    )
