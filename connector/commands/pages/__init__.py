"""The page: reports, people and the mapping as HTML, in one file or served by the daemon.

drawing   templates and pictures      views    what stands on each page
one_file  all of it as one file       looks    what was computed of it, and when
site      the same, served
"""
