"""FixMatch (Sohn et al. 2020, arXiv 2001.07685), written from the paper; stands alone.

Reading order: algorithms/fixmatch (the paper on a page), train (the loop), step (the update), then
views/ (what is done to images), network/ and evaluate. answers/ is what it tells a harness.
"""
