"""FixMatch (Sohn et al. 2020) and MixMatch (Berthelot et al. 2019), from the papers; stands alone.

Reading order: algorithms/fixmatch or mixmatch (a paper on a page), train (the loop), step (the
update), then views/ (what is done to images), network/ and evaluate. answers/ is what it tells a
harness.
"""
