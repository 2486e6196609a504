"""gpu-check: the first minutes on a GPU, and one page that says what they showed.

`command.py` is what the user asked for and the page, `bounds.py` holds each part to its time,
`parts.py` is what is looked at, `resumption.py` the part that stops a run and lets it go on.
"""
