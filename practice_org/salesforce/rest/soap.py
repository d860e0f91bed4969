"""SOAP, as far as it is there: which types of metadata can be deployed. Everything else is refused by a fault."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape  # writes, parses nothing

from practice_org.salesforce.org import PracticeOrg
from practice_org.salesforce.rest.calls import Reply

# name -> folder, suffix, what is inside it
_TYPES = {
    "CustomObject": ("objects", "object", ("CustomField",)),
    "PermissionSet": ("permissionsets", "permissionset", ()),
    "StandardValueSet": ("standardValueSets", "standardValueSet", ()),
}
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="{}"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)
_METADATA = "http://soap.sforce.com/2006/04/metadata"


def answer(org: PracticeOrg, path: str, body: bytes) -> Reply:
    """To a request at ``/services/Soap/`` and below."""
    text = body.decode("utf-8", "replace")
    if not re.match("/services/soap/m/", path, re.IGNORECASE):
        return _fault("INVALID_OPERATION", "SOAP API login() is disabled by default in this org.")
    session = re.search(r"<(?:\w+:)?sessionId>([^<]+)<", text)
    if session is None or not org.accepts(session[1].strip()):
        return _fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader")
    if not re.search(r"<(?:\w+:)?describeMetadata\b", text):
        return _fault("INVALID_OPERATION", "the practice org deploys metadata by REST and no other way")
    types = "".join(map(_described, _TYPES))
    more = "<organizationNamespace/><partialSaveAllowed>false</partialSaveAllowed><testRequired>false</testRequired>"
    result = f'<describeMetadataResponse xmlns="{_METADATA}"><result>{types}{more}</result></describeMetadataResponse>'
    return Reply(200, _ENVELOPE.format(_METADATA, result), content_type="text/xml;charset=UTF-8")


def _described(name: str) -> str:
    folder, suffix, inside = _TYPES[name]
    children = "".join(f"<childXmlNames>{one}</childXmlNames>" for one in inside)
    told = f"<directoryName>{folder}</directoryName><inFolder>false</inFolder><metaFile>false</metaFile>"
    return f"<metadataObjects>{children}{told}<suffix>{suffix}</suffix><xmlName>{name}</xmlName></metadataObjects>"


def _fault(code: str, text: str) -> Reply:
    inside = f"<faultcode>sf:{code}</faultcode><faultstring>{code}: {escape(text)}</faultstring>"
    page = _ENVELOPE.format("urn:fault.partner.soap.sforce.com", f"<soapenv:Fault>{inside}</soapenv:Fault>")
    return Reply(500, page, content_type="text/xml;charset=UTF-8")
