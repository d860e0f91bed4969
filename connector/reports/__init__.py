"""Reports: pure functions over people's stays. What each number means stands in docs/reports.md.

table       what a report is made of: numbers that know their people
paths       stays put together, a person at a time; periods, weeks, filters
funnel      where people are, who came how far          cohort      who went on, and how long it took
movement    who came and went, week by week
ledger      opening + entered - left = closing          velocity    days at a stage, and who is stuck
response    from hand-off to first touch                engagement  scores, activity, sources of wins
repair      what is in the way                          health      how the connector does
"""
