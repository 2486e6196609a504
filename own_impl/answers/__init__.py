"""What own_impl answers to a harness: parity, judge, bench. Training imports none of it."""
