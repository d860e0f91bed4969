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
