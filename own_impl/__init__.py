"""FixMatch (Sohn et al. 2020, arXiv 2001.07685), written from the paper; stands alone.

Reading order: config, data, augment, wideresnet, schedule, ema, fixmatch (the step), evaluate,
checkpoint, metrics, train (the loop).
"""
