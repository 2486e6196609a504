"""Weak and strong views of images, and the batches that they make up."""
