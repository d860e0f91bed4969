"""The practice org: a local server that imitates Salesforce's REST API, and the marketing APIs beside it.

It stands by itself: ``python -m practice_org`` serves it, and nothing in it knows who uses it. What a request
meets, from the outside in:

    serving                   HTTP, sessions, limits, faults on the wire; the practice org's own paths
    salesforce/rest           requests as values, and who answers which; signing in
    salesforce/soql           SOQL compiled to SQL
    salesforce/writing        writing rows as an org does
    salesforce                the org (``org``: the Python handle; ``core``: what it is made of), its schema and storage

``company`` fills an org with a generated company that lives, or with CSV files; ``pardot`` (Account Engagement),
``marketo`` and ``hubspot`` imitate the marketing systems.
"""
