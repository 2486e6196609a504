"""What the runs of a comparison say of claims: measures, their answers, and what training cost."""
