"""The ladder: eight rungs that prove two implementations comparable, on the CPU, in minutes.

`question` writes what both sides are asked, each side's child answers by its own code, `rungs`
compares the answers, `ladder` climbs, `checklist` is what is shown and kept.
"""
