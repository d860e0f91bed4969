"""The deciding half: facts and a mapping in, a decision, its reasons and the writes that follow out. Pure.

- ``view``: one person at one moment, as conditions see it. ``compare``: comparisons of one value.
- ``conditions``, ``activity``, ``opportunity``, ``whereabouts``, ``measures``: what may be asked of a person;
  ``deals``: which opportunities count at all; ``sources``: what counts of each source.
- ``model``: what a mapping says, as values. ``program``: the same, compiled. ``mapping``: both, with where it is from.
- ``ladder`` and ``gate``: one track, the rules' answer, and whether it may move.
- ``score``, ``handoff``, ``owners`` and ``assignment``, ``tags``, ``dates``, ``accounts``, ``identity``: one room each.
- ``decide``, ``plan``, ``explain``: what the pipeline calls.
"""

from connector.lifecycle.accounts import roll_up
from connector.lifecycle.assignment import Assigner
from connector.lifecycle.decide import decide
from connector.lifecycle.explain import Explanation, explain
from connector.lifecycle.identity import leading
from connector.lifecycle.mapping import CompiledMapping
from connector.lifecycle.owners import Owners
from connector.lifecycle.plan import plan

__all__ = ["Assigner", "CompiledMapping", "Explanation", "Owners", "decide", "explain", "leading", "plan", "roll_up"]
