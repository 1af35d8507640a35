"""Crawls whose hosts are divided over several machines, which share a store and nothing else."""
