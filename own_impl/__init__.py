"""FixMatch (Sohn et al. 2020, arXiv 2001.07685), written from the paper; stands alone.

Reading order: config, data, operations, randaugment, augment, wideresnet, schedule, ema, fixmatch
(the step), batches, evaluate, checkpoint, metrics, train (the loop).
"""
