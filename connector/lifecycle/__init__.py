"""The deciding half: facts and a mapping in, a decision, its reasons and the writes that follow out. Pure.

view         one person at one moment, as conditions see it
compare      comparisons of one value            conditions   on the record, its account, its prospects
activity     on what happened                    opportunity  on deals through contact roles
standing     on where the person stands
model        what a mapping says, as values      program      the same, compiled
ladder gate  one track: the rules' answer, and whether it may move
decide  plan  explain
"""

from connector.lifecycle.decide import decide
from connector.lifecycle.explain import Explanation, explain
from connector.lifecycle.mapping import Mapping
from connector.lifecycle.plan import plan

__all__ = ["Explanation", "Mapping", "decide", "explain", "plan"]
