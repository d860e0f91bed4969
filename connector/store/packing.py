"""JSON as a SQLite state holds it: packed with a dictionary of what most of it is made of.

A text of a few hundred characters alone would hardly get shorter; with the words known beforehand a quarter is left.
What is packed is a BLOB, and begins with the number of its dictionary. What is short stays text, and so does what the
views look into, since whoever asks a state with SQL of their own has nothing of this.

Number 2 is zstd's, and was learned (``tools/packing_words.py``). Behind the number stand a byte that checks the text,
and the one block that zstd makes of it: frames all begin the same, and a block is as long as what is left. So a text
has 128 KiB at most, whatever a damaged value says. Number 1 is deflate's, which takes what is longer, and what is brief
where it makes less of it.

A dictionary never changes: a state is read with the one that it was written with. A better one is another one.
"""

from __future__ import annotations

import threading
import zlib
from functools import cache, lru_cache
from pathlib import Path

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, ZstdError

from connector.base.errors import StateError

NEWEST = 2
FILE = Path(__file__).with_name("packing-2.zdict")
LEVEL = 12  # of zstd: higher ones take ten times as long and make nothing shorter
_SHORTEST = 24  # characters of a text that is worth packing
_BRIEF = 100  # bytes, of which deflate may make less: what it needs to say about itself is shorter
_FOR_VIEWS = '"by":'  # in the memory of a hand-off, see ``views.py``
_WINDOW, _MEMORY, _LEVEL = -13, 3, 6  # of deflate: a window of 8 KiB, no header, and little to copy for each text
_LONGEST = 2**17  # bytes of zstd's block
_MOST = 2**24  # bytes of a text: what claims more is damaged
_FRAME = bytes.fromhex("28b52ffd0038")  # no size, no check, no dictionary's name, a window of 128 KiB
_ONE_BLOCK = 5  # the low bits of a block's head: it is the last, and compressed

# Names and values that records, activities, prospects, memories and evidence have again and again. What is told most
# often stands last, where the fewest bits name it. Ends of lines are no part of it.
_WORDS = """
"City":"","Country":"Germany","Country":"United States","State":"","PostalCode":"","Street":"","Fax":null,"Phone
":"+49 ","MobilePhone":null,"Salutation":null,"Department":null,"Website":"https://www.","Type":"Customer","Rati
ng":"Hot","AnnualRevenue":null,"NumberOfEmployees":null,"Industry":"","CurrencyIsoCode":"EUR","USD""MailingCount
ry":null,"MailingCity":null,"HasOptedOutOfEmail":false,"DoNotCall":false,"EmailBouncedDate":null,"LeadSource":"W
eb","LeadSource":null,"Title":"Manager","FirstName":"","LastName":"","Company":"","ReportsToId":null,"RecordType
Id":"012","CreatedById":"005","LastModifiedById":"005","LastModifiedDate":"2026-","CampaignId":"701"Campaign.Nam
e":"","Campaign.Type":"Email","FirstRespondedDate":"2026-","HasResponded":true,"Status":"Responded"}"Status":"Se
nt"}"StartDateTime":"2026-","EndDateTime":"2026-","ActivityDateTime":"2026-","DurationInMinutes":30,"EventSubtyp
e":"Event","IsAllDayEvent":false,"IsChild":false,"IsGroupEvent":false,"IsRecurrence":false,"ShowAs":"Busy","Subj
ect":"Meeting: ","WhatId":"006","WhoId":"003","FromAddress":"","ToAddress":"","Incoming":true,"browser":"","url"
:"https://www.","utm_source":"","utm_campaign":"","utm_medium":"","page":"/","details":"","form":""objectType":"
","campaign_id":"","list_id":"","assetId":"","primaryAttributeValue":"","campaignId":"","leadId":""Amount":null,
"Probability":0,"ForecastCategory":"Closed","Name":"","CloseDate":"2026-","IsClosed":true,"IsWon":true,"IsClosed
":false,"IsWon":false,"StageName":"Prospecting","StageName":"Qualification","StageName":"Needs Analysis","StageN
ame":"Proposal/Price Quote","StageName":"Negotiation/Review","StageName":"Closed Lost","StageName":"Closed Won""
ContactId":"003","IsPrimary":false,"IsPrimary":true,"OpportunityId":"006","Role":"Business User","Role":"Influen
cer","Role":"Evaluator","Role":"Executive Sponsor","Role":"Economic Buyer","Role":"Decision Maker","SystemModsta
mp":"2025-"jobTitle":"Head of","jobTitle":"Director","lastActivityAt":"2026-","updatedAt":"2026-","grade":"A","c
ompany":"","createdAt":"2026-","firstName":"","isDoNotCall":false,"isDoNotEmail":false,"isEmailHardBounced":fals
e,"jobTitle":","lastName":"","optedOut":false,"score":{"type":"typeName":"Webinar"}"typeName":"Visit"}"typeName"
:"Form"}"typeName":"Email"}{"read":0,"written":0,"unchanged":0,"waiting":0,"set_aside":{},"changes":{},"seconds"
:0."api_calls":{"composite":2,"total":2},"facts_changed":0,"decided":0,"inbound form submit '","inbound visit '"
,"inbound event register '","inbound email open '","outbound meeting '"text":"inbound email click '","text":"out
bound call 'Call: "}]"text":"email is empty"}]"ConvertedContactId":null,"ConvertedDate":null,"ConvertedOpportuni
tyId":null,"CreatedDate":"2025-","IsConverted":true,"IsConverted":false,"IsDeleted":false,"Status":"Open - Not C
ontacted","Status":"Closed - Converted","Status":"Working - Contacted","Lead_Status__c":"New","Lead_Status__c":n
ull,"Lifecycle_Status__c":"{"ActivityDate":"2026-","CallDisposition":"Connected","CallDisposition":"No answer","
CallDurationInSeconds":,"CallType":"Outbound","CompletedDateTime":"2026-T00:00:00.000+0000","CreatedDate":"2026-
T.000+0000","IsClosed":true,"IsRecurrence":false,"OwnerId":"005","Priority":"Normal","Status":"Not Started","Sta
tus":"Completed","Subject":"Call: ","TaskSubtype":"Task"}"TaskSubtype":"Email"}"TaskSubtype":"Call"}{"at":"Ope
n - Not Contacted","start":true,"written":"Open - Not Contacted"}{"at":"Working - Contacted","record":"00Q"rule":"
Working - Contacted","written":"Working - Contacted"}{"at":"Marketing Qualified","{"at":"Sales Qualified","{"at"
:"Customer","entered":{"Opportunity":["2026-","inferred"],"Engaged":["2025-","inferred"],"Suspect":["2025-+00:00
","inferred"]},"observed"],"record":"003","rule":"Anonymous","rule":"Customer","rule":"Opportunity","rule":"Enga
ged","rule":"Suspect","since":"2026-","written":"Anonymous"}"written":"Customer"}"written":"Opportunity"}"writte
n":"Engaged"}"written":"Suspect"}{"at":null,"record":"00Q","rule":"","since":null,"written":null}[{"field":"Lead
_Status__c","new":"Working - Contacted","old":null}][{"field":"Status","new":"","old":"Open - Not[{"field":"Life
cycle_Stage__c","new":"Opportunity","new":"Customer","new":"Anonymous","new":"Engaged","new":"Suspect","old":nul
l}][{"at":"2025-T00:00:00+00:00","kind":"opportunity","ref":"006","text":"Decision Maker on the opportunity  (Cl
osed Won)"}][{"at":"2026-T00:00:00+00:00","kind":"activity","ref":"salesforce:00T","text":"[{"at":null,"kind":"f
ield","ref":"00Q","text":"email is  (Closed Lost)"}][{"at":null,"kind":"field","ref":"003","text":"email is {"Ac
countId":"001","CreatedDate":"2026-T.000+0000","Email":"","Id":"003","Id":"00Q","IsDeleted":true,"IsDeleted":fal
se,"Lifecycle_Stage__c":null,"Lifecycle_Stage__c":"Customer","Lifecycle_Stage__c":"Opportunity","Lifecycle_Stage
__c":"Engaged","Lifecycle_Stage__c":"Suspect","MasterRecordId":null,"Name":"","OwnerId":"005"SystemModstamp":"20
26-11-27T00:00:00.000+0000"}
"""
_DEFLATE = _WORDS.replace("\n", "").encode()
_FRESH = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _DEFLATE)


@cache
def _learned() -> ZstdCompressionDict:
    """Ready to pack with, for all threads."""
    words = ZstdCompressionDict(FILE.read_bytes())
    words.precompute_compress(level=LEVEL)
    return words


class _Zstd(threading.local):
    """What packs and unpacks is one thread's each."""

    def __init__(self) -> None:
        words = _learned()
        self.compress = ZstdCompressor(
            level=LEVEL, dict_data=words, write_content_size=False, write_checksum=False, write_dict_id=False
        ).compress
        self.decompress = ZstdDecompressor(dict_data=words).decompress


@cache
def _zstd() -> _Zstd:
    return _Zstd()


@lru_cache(4096)  # what a track says by now its entry in the log says, too
def pack(text: str) -> str | bytes:
    if len(text) < _SHORTEST or _FOR_VIEWS in text:
        return text
    told = text.encode()
    if len(told) > _MOST:
        return text
    packed = _compressed(told)
    if packed is None or len(told) < _BRIEF:
        packed = min(packed or told, _deflated(told), key=len)
    return packed if len(packed) < len(told) else text


def _compressed(told: bytes) -> bytes | None:
    """None where it is more than a block, or nothing would be won."""
    frame = _zstd().compress(told)
    begin = len(_FRAME)
    if frame[begin] & 7 != _ONE_BLOCK:
        return None
    return bytes((2, zlib.crc32(told) & 255)) + frame[begin + 3 :]


def _deflated(told: bytes) -> bytes:
    deflate = _FRESH.copy()
    return b"\x01" + deflate.compress(told) + deflate.flush()


def unpack(packed: str | bytes | None) -> str | None:
    if packed is None or isinstance(packed, str):
        return packed
    try:
        return _READERS[packed[0]](packed).decode()
    except (zlib.error, ZstdError, LookupError, ValueError, OverflowError):
        raise StateError("a value of the state is damaged and cannot be read", "go back to a backup of it") from None


def _inflated(packed: bytes) -> bytes:
    inflate = zlib.decompressobj(_WINDOW, _DEFLATE)
    told = inflate.decompress(packed[1:], _MOST)
    if not inflate.eof or inflate.unused_data:
        raise ValueError("it is cut off")
    return told


def _decompressed(packed: bytes) -> bytes:
    block = packed[2:]
    frame = _FRAME + (len(block) << 3 | _ONE_BLOCK).to_bytes(3, "little") + block
    told = _zstd().decompress(frame, max_output_size=_LONGEST, allow_extra_data=False)
    if zlib.crc32(told) & 255 != packed[1]:
        raise ValueError("it is another text")
    return told


_READERS = {1: _inflated, 2: _decompressed}
