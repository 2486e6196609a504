"""What commands do with a results folder: plan its runs, write its outputs, put a log into it."""
