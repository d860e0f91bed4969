"""Every error code that a rehearsal can ask for: the status and the words a real org gives with it.

Codes are what clients decide by; statuses and words are those met most often (some are UNCONFIRMED on a live org), so
a fault may name others.
"""

from __future__ import annotations

OF_REQUESTS: dict[str, tuple[int, str]] = {
    "INVALID_SESSION_ID": (401, "Session expired or invalid"),
    "INVALID_AUTH_HEADER": (401, "INVALID_HEADER_TYPE"),
    "INVALID_JWT_FORMAT": (401, "Failed: JWT Token is invalid"),
    "REQUEST_LIMIT_EXCEEDED": (403, "TotalRequests Limit exceeded."),
    "API_DISABLED_FOR_ORG": (403, "API is not enabled for this Organization or Partner"),
    "API_CURRENTLY_DISABLED": (403, "API is disabled for this User"),
    "INSUFFICIENT_ACCESS": (403, "You do not have the level of access necessary to do what you requested."),
    "FUNCTIONALITY_NOT_ENABLED": (403, "This feature is not currently enabled for this organization."),
    "TXN_SECURITY_METERING_ERROR": (403, "The operation was blocked by a transaction security policy."),
    "MALFORMED_QUERY": (400, "unexpected token: query"),
    "INVALID_FIELD": (400, "No such column 'Rehearsed__c' on entity 'Contact'."),
    "INVALID_TYPE": (400, "sObject type 'Rehearsed__c' is not supported."),
    "MALFORMED_ID": (400, "malformed id"),
    "JSON_PARSER_ERROR": (400, "Unexpected character"),
    "QUERY_TIMEOUT": (400, "Your query request was running for too long."),
    "QUERY_TOO_COMPLICATED": (
        400, "Query is either selecting too many fields or the filter conditions are too complicated.",
    ),
    "NUMBER_OUTSIDE_VALID_RANGE": (400, "Maximum SOQL offset allowed is 2000"),
    "EXCEEDED_ID_LIMIT": (400, "too many ids; ask for a shorter window"),
    "INVALID_REPLICATION_DATE": (400, "startDate before org replication enablement date"),
    "INVALID_QUERY_LOCATOR": (400, "invalid query locator"),
    "LIMIT_EXCEEDED": (400, "Limit exceeded"),
    "EXCEEDED_MAX_SIZE_REQUEST": (400, "record limit reached"),
    "NOT_FOUND": (404, "The requested resource does not exist"),
    "METHOD_NOT_ALLOWED": (405, "HTTP Method 'PATCH' not allowed. Allowed are HEAD,GET,POST"),
    "JOB_NOT_COMPLETE": (412, "job not complete"),
    "API_ERROR": (409, "the job was made with another API version"),
    "UNSUPPORTED_API_VERSION": (410, "API version is retired and no longer available"),
    "UNKNOWN_EXCEPTION": (
        500, "An unexpected error occurred. Please include this ErrorId if you contact support",
    ),
    "SERVER_UNAVAILABLE": (503, "Server is too busy, please try again later."),
}  # fmt: skip

OF_ROWS: dict[str, tuple[int, str]] = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (400, "A validation rule refuses this value."),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (400, "bad value for restricted picklist field"),
    "CANNOT_EXECUTE_FLOW_TRIGGER": (
        400, "We can't save this record because the “Rehearsal” process failed. Give your Salesforce admin these "
        "details.",
    ),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (
        400, "RehearsalTrigger: execution of BeforeUpdate caused by: System.NullPointerException",
    ),
    "DUPLICATES_DETECTED": (400, "Use one of these records?"),
    "DUPLICATE_VALUE": (400, "duplicate value found: unknown duplicates value on record with id: unknown"),
    "ENTITY_IS_LOCKED": (400, "the entity is locked for editing"),
    "ENTITY_IS_DELETED": (404, "entity is deleted"),
    "FIELD_INTEGRITY_EXCEPTION": (400, "field integrity exception: unknown"),
    "FIELD_FILTER_VALIDATION_EXCEPTION": (400, "Value does not exist or does not match filter criteria."),
    "INSUFFICIENT_ACCESS_OR_READONLY": (400, "insufficient access rights on object id"),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (400, "insufficient access rights on cross-reference id"),
    "INVALID_CROSS_REFERENCE_KEY": (400, "invalid cross reference id"),
    "INVALID_FIELD_FOR_INSERT_UPDATE": (
        400, "Unable to create/update fields. Please check the security settings of this field and verify that it is "
        "read/write for your profile or permission set.",
    ),
    "INVALID_EMAIL_ADDRESS": (400, "invalid email address"),
    "REQUIRED_FIELD_MISSING": (400, "Required fields are missing"),
    "STRING_TOO_LONG": (400, "data value too large"),
    "INACTIVE_OWNER_OR_USER": (400, "operation performed with inactive user"),
    "CANNOT_UPDATE_CONVERTED_LEAD": (400, "cannot reference converted lead"),
    "DELETE_FAILED": (400, "Your attempt to delete the record could not be completed"),
    "STORAGE_LIMIT_EXCEEDED": (400, "storage limit exceeded"),
    "LIMIT_EXCEEDED": (400, "limit exceeded"),
    "UNABLE_TO_LOCK_ROW": (500, "unable to obtain exclusive access to this record or 1 records"),
    "UNKNOWN_EXCEPTION": (400, "UNKNOWN_EXCEPTION"),
}  # fmt: skip

OF_SIGN_IN: dict[str, str] = {
    "invalid_grant": "authentication failure",
    "invalid_client_id": "client identifier invalid",
    "invalid_client": "invalid client credentials",
    "inactive_user": "user is inactive",
    "inactive_org": "organization is inactive",
    "rate_limit_exceeded": "login rate exceeded",
}

OF_MARKETO: dict[str, str] = {  # inside HTTP 200
    "600": "Access token not specified",
    "601": "Access token invalid",
    "602": "Access token expired",
    "603": "Access denied",
    "604": "Request timed out",
    "605": "HTTP Method not supported",
    "606": "Max rate limit '{rate_limit}' exceeded with in '{rate_seconds}' secs",
    "607": "Daily API quota reached",
    "608": "API Temporarily Unavailable",
    "609": "Invalid JSON",
    "610": "Requested resource not found",
    "611": "System error",
    "612": "Invalid Content Type",
    "613": "Invalid Multipart Request",
    "614": "Invalid Subscription",
    "615": "Concurrent access limit reached",
    "616": "Invalid subscription type",
    "701": "Value cannot be blank",
    "702": "No data found for a given search scenario",
    "703": "The feature is not enabled for the subscription",
    "704": "Invalid date format",
    "709": "Business Rule Violation",
    "713": "Transient Error",
    "714": "Unable to find the default record type",
    "718": "Sales person not found",
    "719": "Lock wait timeout exception",
    "1003": "Invalid data",
    "1013": "Object not found",
    "1029": "Export daily quota 500MB exceeded.",
    "1035": "Unsupported filter type for target subscription",
}

OF_HUBSPOT: dict[str, tuple[int, str]] = {
    "VALIDATION_ERROR": (400, "Invalid input JSON"),
    "INVALID_AUTHENTICATION": (401, "Authentication credentials not found or not valid."),
    "EXPIRED_AUTHENTICATION": (401, "The OAuth token used to make this call expired."),
    "MISSING_SCOPES": (403, "This app hasn't been granted all required scopes to make this call."),
    "OBJECT_NOT_FOUND": (404, "Object not found."),
    "CONFLICT": (409, "The object already exists."),
    "RATE_LIMITS": (429, "You have reached your ten_secondly_rolling limit."),
}

OF_PARDOT: dict[str, tuple[int, str]] = {
    "13": (400, "A required parameter is missing"),
    "46": (400, "The account is not allowed to use the API"),
    "49": (400, "The user has no permission for this"),
    "66": (400, "Too many concurrent requests"),
    "109": (404, "The record was not found"),
    "122": (400, "The daily API request limit of the account is reached"),
    "181": (400, "The header Pardot-Business-Unit-Id is missing"),
    "182": (400, "The header Pardot-Business-Unit-Id is no business unit id"),
    "183": (500, "An internal error occurred"),
    "184": (401, "access_token is invalid, unknown, or malformed"),
    "192": (404, "The id is not valid"),
    "198": (404, "There is no such endpoint"),
    "201": (400, "The business unit was not found on this host"),
    "202": (400, "Too many requests this minute; access is blocked for a while"),
    "209": (400, "Too many fields are filtered by"),
    "210": (400, "The page token has expired"),
    "211": (400, "The page token is not valid"),
    "214": (500, "The request timed out"),
    "224": (400, "Some field names are not valid"),
}

# code -> status, words, and the pattern of the paths where it belongs
ELSEWHERE: dict[str, tuple[int, str, str]] = {
    **{code: (200, words, "^/(rest|bulk)/") for code, words in OF_MARKETO.items()},
    **{code: (*told, "^/(crm|email)/") for code, told in OF_HUBSPOT.items()},
    **{code: (*told, "^/api/v5/") for code, told in OF_PARDOT.items()},
}
