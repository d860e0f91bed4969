"""Most people take a short way through the gate: those seen for the first time, and those for whom nothing changed."""

from __future__ import annotations

from hypothesis import event, given, settings

from connector.lifecycle.decide import look_at
from connector.lifecycle.gate import decide_track
from connector.lifecycle.ladder import NO_MEMORY
from tests.cases import cases
from tests.lifecycle.stories import STORY, compiled, mapping_values, somebody
from tests.lifecycle.test_always import FAST, lived


@settings(max_examples=cases(150), **FAST)
@given(mapping_values(later=True), somebody(), STORY)
def test_the_short_way_leads_where_the_long_way_leads(values, someone, story):
    mapping = compiled(values)
    for state, now in lived(mapping, someone, story):
        program = mapping.programs[state.object]
        short, long = look_at(state, program, now), look_at(state, program, now)
        for ladder in program.ladders:
            memory = state.memory.get(ladder.name, NO_MEMORY)
            current = ladder.current(long, memory)
            if ladder.scope is not None and long.stage not in ladder.scope:
                break
            standing = ladder.stand(long, current, memory)
            quick, quick_move = decide_track(short, ladder)
            slow, slow_move = decide_track(long, ladder, standing)
            event(f"{quick.verdict}, {'again' if memory else 'first'}")
            assert (quick, quick_move) == (slow, slow_move)
            assert (short.stage, short.stage_since, short.status) == (long.stage, long.stage_since, long.status)
