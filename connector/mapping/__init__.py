"""YAML -> checked, compiled, frozen mapping; every mistake at once, with file and line.

tree         YAML text to values that know their line          include   several files to one tree
shape        what a key may hold                               comparison, language, sections   the table of keys
edits        files that are edited while a daemon runs
names build  what the sections mean together                   load      from a file or a text to the mapping
org          whether an org has what the mapping needs
"""

from connector.lifecycle.mapping import CompiledMapping
from connector.mapping.edits import MappingFiles
from connector.mapping.load import load, loads
from connector.mapping.mistakes import MappingInvalid, Mistake
from connector.mapping.org import check_org, long_tags, unseen_changes

__all__ = [
    "CompiledMapping",
    "MappingFiles",
    "MappingInvalid",
    "Mistake",
    "check_org",
    "load",
    "loads",
    "long_tags",
    "unseen_changes",
]
