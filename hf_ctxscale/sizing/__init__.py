"""Exact parameter groups, FLOPs, and the shape that meets a target size."""
