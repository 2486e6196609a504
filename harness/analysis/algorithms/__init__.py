"""What runs of several algorithms say side by side: their settings, and how they learn."""
