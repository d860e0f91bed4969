"""The practice org: a local server that imitates Salesforce's REST API, and the marketing APIs beside it.

``org`` is the Python handle, ``server`` serves it over HTTP. What a request meets, from the outside in:

    server, wire, tls        HTTP, sessions, limits, faults on the wire       oauth    signing in
    rest, resources          requests as values, and who answers which        admin    the practice org's own paths
    rest_query, rest_rows, rest_collections, rest_composite, rest_tree, rest_bulk, rest_meta
    soql, soql_sql, soql_select, soql_values, soql_dates, soql_run            SOQL compiled to SQL
    dml, checks, values, automation, removal                                  writing rows as an org does
    schema, describe, ids, problems, faults, founding, storage                what everything rests on

``loader``, ``company`` and ``life`` fill an org; ``pardot``, ``marketo`` and ``hubspot`` imitate the sources.
"""
